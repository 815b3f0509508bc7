package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "heliograph.dev", Version: "v1alpha1"}

func addKnownTypes(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(groupVersion,
		&WhatsAppNumber{}, &WhatsAppNumberList{},
		&WhatsAppBusinessAccount{}, &WhatsAppBusinessAccountList{},
		&ConnectionClass{}, &ConnectionClassList{},
	)
	metav1.AddToGroupVersion(scheme, groupVersion)
}

// WhatsAppNumber has every field of the CRD, since an update would drop the others.
type WhatsAppNumber struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              NumberSpec   `json:"spec"`
	Status            NumberStatus `json:"status,omitempty"`
}

type Reference struct {
	Name string `json:"name"`
}

type NumberSpec struct {
	AccountRef            Reference  `json:"accountRef"`
	PhoneNumberID         string     `json:"phoneNumberId"`
	PhoneNumber           string     `json:"phoneNumber"`
	DisplayName           string     `json:"displayName,omitempty"`
	CredentialsRef        *Reference `json:"credentialsRef,omitempty"`
	ConnectionClassName   string     `json:"connectionClassName,omitempty"`
	DesiredState          string     `json:"desiredState,omitempty"`
	MessagesPerSecond     int64      `json:"messagesPerSecond,omitempty"`
	QueueLimit            int64      `json:"queueLimit,omitempty"`
	MessageTTLSeconds     int64      `json:"messageTtlSeconds,omitempty"`
	UnknownPolicy         string     `json:"unknownPolicy,omitempty"`
	UnknownTimeoutSeconds int64      `json:"unknownTimeoutSeconds,omitempty"`
	ContentPolicy         string     `json:"contentPolicy,omitempty"`
	Disruption            Disruption `json:"disruption"`
	DeletionPolicy        string     `json:"deletionPolicy,omitempty"`
}

type Disruption struct {
	Policy string `json:"policy,omitempty"`
}

type NumberStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	MaskedPhoneNumber  string             `json:"maskedPhoneNumber,omitempty"`
	Connection         Connection         `json:"connection,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type Connection struct {
	Epoch    int64  `json:"epoch,omitempty"`
	PodName  string `json:"podName,omitempty"`
	PodUID   string `json:"podUid,omitempty"`
	NodeName string `json:"nodeName,omitempty"`
}

// The same nine that ours has, so that the objects are as long.
var conditionTypes = []string{
	"Conflict", "Connected", "Degraded", "Progressing", "Ready", "ReconciliationPaused", "Reconciling", "Registered", "Stalled",
}

func setConditions(number *WhatsAppNumber, pod *corev1.Pod) {
	number.Status.ObservedGeneration = number.Generation
	if digits := number.Spec.PhoneNumber; len(digits) > 4 {
		number.Status.MaskedPhoneNumber = "…" + digits[len(digits)-2:]
	}
	ready := pod != nil && isReady(pod)
	for _, name := range conditionTypes {
		status, reason := metav1.ConditionFalse, "AsExpected"
		switch name {
		case "Ready", "Connected", "Registered":
			if ready {
				status, reason = metav1.ConditionTrue, "Connected"
			} else {
				reason = "Starting"
			}
		case "Progressing", "Reconciling":
			if !ready {
				status, reason = metav1.ConditionTrue, "Starting"
			}
		}
		meta.SetStatusCondition(&number.Status.Conditions, metav1.Condition{
			Type: name, Status: status, Reason: reason, ObservedGeneration: number.Generation,
		})
	}
}

func isSame(one, other *NumberStatus) bool {
	return equality.Semantic.DeepEqual(one, other)
}

func (in *WhatsAppNumber) DeepCopy() *WhatsAppNumber {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	if in.Spec.CredentialsRef != nil {
		reference := *in.Spec.CredentialsRef
		out.Spec.CredentialsRef = &reference
	}
	out.Status.Conditions = nil
	for _, condition := range in.Status.Conditions {
		out.Status.Conditions = append(out.Status.Conditions, *condition.DeepCopy())
	}
	return &out
}

func (in *WhatsAppNumber) DeepCopyObject() runtime.Object { return in.DeepCopy() }

type WhatsAppNumberList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WhatsAppNumber `json:"items"`
}

func (in *WhatsAppNumberList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]WhatsAppNumber, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopy()
	}
	return &out
}

type WhatsAppBusinessAccount struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

func (in *WhatsAppBusinessAccount) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

type WhatsAppBusinessAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WhatsAppBusinessAccount `json:"items"`
}

func (in *WhatsAppBusinessAccountList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]WhatsAppBusinessAccount, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopyObject().(*WhatsAppBusinessAccount)
	}
	return &out
}

type ConnectionClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ClassSpec `json:"spec"`
}

// ClassSpec is never written: what is not here is not lost.
type ClassSpec struct {
	Image string `json:"image,omitempty"`
}

func (in *ConnectionClass) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

type ConnectionClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ConnectionClass `json:"items"`
}

func (in *ConnectionClassList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]ConnectionClass, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopyObject().(*ConnectionClass)
	}
	return &out
}
