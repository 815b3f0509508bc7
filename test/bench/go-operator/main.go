// A plain Kubernetes operator by the book of controller-runtime, to compare ours with: for each WhatsAppNumber it keeps a finalizer,
// an epoch in the status, one pod of that epoch and conditions, and tells two events. A changed spec gets a new pod, and the old one
// goes when the new one is Ready. It asks no service, reads no Secret, knows no lease, no surge and no takeover.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	finalizer    = "heliograph.dev/number"
	instance     = "app.kubernetes.io/instance"
	numberUID    = "heliograph.dev/number-uid"
	epochLabel   = "heliograph.dev/epoch"
	specHash     = "heliograph.dev/spec-hash"
	safeToEvict  = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	managedBy    = "app.kubernetes.io/managed-by=heliograph-operator"
	ownerIndex   = "number"
	workers      = 32
	defaultClass = "default"
)

type operator struct {
	client.Client
	recorder events.EventRecorder
	template corev1.Pod
}

func main() {
	ctrl.SetLogger(zap.New(zap.UseDevMode(false), zap.Level(zapcore.ErrorLevel)))
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	addKnownTypes(scheme)
	config := ctrl.GetConfigOrDie()
	// The server's own fairness is the limit, as with ours.
	config.QPS, config.Burst = 1000, 2000
	selector, err := labels.Parse(managedBy)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		LeaderElection:                true,
		LeaderElectionID:              "operator-go",
		LeaderElectionNamespace:       os.Getenv("LEASE_NAMESPACE"),
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: os.Getenv("METRICS_ADDRESS")},
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: selector}},
		},
	})
	if err != nil {
		return err
	}
	self := &operator{Client: manager.GetClient(), recorder: manager.GetEventRecorder("operator-go")}
	if err := readTemplate(&self.template); err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	if err := self.setUp(ctx, manager); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func readTemplate(pod *corev1.Pod) error {
	text, err := os.ReadFile(os.Getenv("POD_TEMPLATE"))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, pod)
}

func (o *operator) setUp(ctx context.Context, manager ctrl.Manager) error {
	byOwner := func(object client.Object) []string {
		if owner := metav1.GetControllerOf(object); owner != nil {
			return []string{owner.Name}
		}
		return nil
	}
	if err := manager.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, ownerIndex, byOwner); err != nil {
		return err
	}
	all := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		var numbers WhatsAppNumberList
		if err := o.List(ctx, &numbers); err != nil {
			return nil
		}
		requests := make([]reconcile.Request, 0, len(numbers.Items))
		for i := range numbers.Items {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&numbers.Items[i])})
		}
		return requests
	})
	return ctrl.NewControllerManagedBy(manager).
		For(&WhatsAppNumber{}).
		Owns(&corev1.Pod{}).
		Watches(&ConnectionClass{}, all).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(o)
}

func (o *operator) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var number WhatsAppNumber
	if err := o.Get(ctx, request.NamespacedName, &number); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !number.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(&number, finalizer) {
			return ctrl.Result{}, ignoreConflict(o.Update(ctx, &number))
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(&number, finalizer) {
		if err := o.Update(ctx, &number); err != nil {
			return ctrl.Result{}, ignoreConflict(err)
		}
	}
	account := types.NamespacedName{Namespace: number.Namespace, Name: number.Spec.AccountRef.Name}
	if err := o.Get(ctx, account, &WhatsAppBusinessAccount{}); err != nil {
		return ctrl.Result{RequeueAfter: 5 * time.Second}, client.IgnoreNotFound(err)
	}
	var class ConnectionClass
	if err := o.Get(ctx, types.NamespacedName{Name: defaultClass}, &class); err != nil {
		return ctrl.Result{RequeueAfter: 5 * time.Second}, client.IgnoreNotFound(err)
	}
	var pods corev1.PodList
	if err := o.List(ctx, &pods, client.InNamespace(number.Namespace), client.MatchingFields{ownerIndex: number.Name}); err != nil {
		return ctrl.Result{}, err
	}
	return o.reconcilePods(ctx, &number, &class, pods.Items)
}

func (o *operator) reconcilePods(
	ctx context.Context, number *WhatsAppNumber, class *ConnectionClass, pods []corev1.Pod,
) (ctrl.Result, error) {
	wish := o.podFor(number, class)
	hash, err := hashOf(wish)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := number.DeepCopy()
	connection := &number.Status.Connection
	current := find(pods, connection.PodName)
	isGone := current == nil && connection.PodUID != ""
	isOld := current != nil && current.Annotations[specHash] != hash
	if connection.Epoch == 0 || isGone || isOld {
		connection.Epoch++
		connection.PodName = fmt.Sprintf("%s-c%d", number.Name, connection.Epoch)
		connection.PodUID, connection.NodeName = "", ""
		setConditions(number, nil)
		// With the version that was seen: of two operators one is refused.
		if err := o.Status().Update(ctx, number); err != nil {
			return ctrl.Result{}, ignoreConflict(err)
		}
		return ctrl.Result{}, o.create(ctx, number, wish, hash)
	}
	if current == nil {
		return ctrl.Result{}, o.create(ctx, number, wish, hash)
	}
	if isReady(current) {
		for i := range pods {
			if pods[i].Name == current.Name || !pods[i].DeletionTimestamp.IsZero() {
				continue
			}
			if err := o.Delete(ctx, &pods[i], client.Preconditions{UID: &pods[i].UID}); client.IgnoreNotFound(err) != nil {
				return ctrl.Result{}, err
			}
		}
	}
	connection.PodUID, connection.NodeName = string(current.UID), current.Spec.NodeName
	setConditions(number, current)
	return ctrl.Result{}, o.save(ctx, before, number)
}

func (o *operator) save(ctx context.Context, before, number *WhatsAppNumber) error {
	if isSame(&before.Status, &number.Status) {
		return nil
	}
	if err := o.Status().Update(ctx, number); err != nil {
		return ignoreConflict(err)
	}
	was := meta.IsStatusConditionTrue(before.Status.Conditions, "Ready")
	if is := meta.IsStatusConditionTrue(number.Status.Conditions, "Ready"); is != was {
		o.recorder.Eventf(number, nil, corev1.EventTypeNormal, "Ready", "SetReady", "Ready is %t", is)
	}
	return nil
}

func (o *operator) create(ctx context.Context, number *WhatsAppNumber, pod *corev1.Pod, hash string) error {
	epoch := strconv.FormatInt(number.Status.Connection.Epoch, 10)
	pod.Name = number.Status.Connection.PodName
	pod.Labels[epochLabel] = epoch
	pod.Annotations[specHash] = hash
	setVariable(pod, "EPOCH", epoch)
	if err := controllerutil.SetControllerReference(number, pod, o.Scheme()); err != nil {
		return err
	}
	if err := o.Create(ctx, pod); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}
	o.recorder.Eventf(number, nil, corev1.EventTypeNormal, "FirstPod", "CreatePod", "made the connection pod %s", pod.Name)
	return nil
}

// Everything that does not change with the epoch.
func (o *operator) podFor(number *WhatsAppNumber, class *ConnectionClass) *corev1.Pod {
	pod := o.template.DeepCopy()
	pod.Namespace = number.Namespace
	pod.OwnerReferences = nil
	pod.Labels[instance] = number.Name
	pod.Labels[numberUID] = string(number.UID)
	pod.Annotations[safeToEvict] = strconv.FormatBool(number.Spec.Disruption.Policy != "Block")
	pod.Spec.Containers[0].Image = class.Spec.Image
	for i := range pod.Spec.Volumes {
		if secret := pod.Spec.Volumes[i].Secret; secret != nil {
			secret.SecretName = number.Spec.AccountRef.Name
		}
	}
	setVariable(pod, "PHONE_NUMBER_ID", number.Spec.PhoneNumberID)
	return pod
}

func setVariable(pod *corev1.Pod, name, value string) {
	variables := pod.Spec.Containers[0].Env
	for i := range variables {
		if variables[i].Name == name {
			variables[i].Value = value
		}
	}
}

func hashOf(pod *corev1.Pod) (string, error) {
	text, err := json.Marshal(pod)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

func find(pods []corev1.Pod, name string) *corev1.Pod {
	for i := range pods {
		if pods[i].Name == name {
			return &pods[i]
		}
	}
	return nil
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// A conflict says that the cache was old: its watch brings the number again.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}
