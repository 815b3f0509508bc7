// What --help prints.

const places = `
Where the parts are (default: the run.json of npm start in .heliograph):
  --data DIR             the folder of a local run                       HELIOGRAPH_DATA
  --gateway URL          REST API: send, explain                         GATEWAY_URL
  --token-file FILE      holds the REST API's token                      API_TOKEN_FILE
  --messages HOST:PORT   gRPC: status, messages, cancel, recover, names  MESSAGES_ADDRESS
  --quality HOST:PORT    gRPC: status                                    QUALITY_ADDRESS
  --templates HOST:PORT  gRPC: adopt                                     TEMPLATES_ADDRESS
  --nats URL             tail                                            NATS_URL

  --json                 for scripts
  --help                 print this
`;

const overview = `heliograph COMMAND [options]

  status      numbers, their connections, quality and limits; the processes of a local run
  messages    what the ledger knows: a list by filters, or one message with its history
  send        send a message over the Cloud API
  explain     what would become of a message, or of a campaign, if it were sent now
  cancel      cancel one message, or a campaign, as far as it is not yet being sent
  tail        follow what happens, one line an event
  recover     after Postgres lost commits: nothing that may have been sent is sent again
  adopt       write the YAML of what an account has at WhatsApp: numbers, templates
  trial       take a number of the simulator through a first conversation
  chaos       prove the promises under faults (in a clone); the options are its own: heliograph chaos --help
  bench       measure (in a clone); the options are its own: heliograph bench --help

heliograph COMMAND --help explains one. Exit codes: 0 done, 1 failed, 2 wrong usage.
${places}`;

const status = `heliograph status [options]

Numbers: whether connected, term of the lease, standing, messages that wait, quality, messaging limit and how much of it is used.
Processes, for a local run: whether each is up, its pid and memory.
${places}`;

const messages = `heliograph messages [filters] [options]
heliograph messages ID [options]

The ledger's rows by filters, or one message with its history. ID is the UUID or the wamid that the API gave.

  --number NAME|ID       of this number
  --to PHONE             to this phone number
  --state STATE          accepted, waiting, sending, sent, delivered, read, failed, expired, cancelled, unknown
  --template NAME        of this template
  --campaign LABEL       of this campaign
  --since TIME           accepted since: 15m, 2h, 7d, or an ISO time
  --limit N              at most so many (default 20)
${places}`;

const send = `heliograph send --number NAME|ID --to PHONE --text TEXT [options]
heliograph send --number NAME|ID --to PHONE --template NAME --language CODE [--param VALUE]... [options]

  --param VALUE          a parameter of the template's body, in order; NAME=VALUE for templates with named parameters
                         (=VALUE where a value in order itself looks like NAME=VALUE)
  --lane reply|bulk      default: bulk for marketing templates, else reply
  --campaign LABEL       kept with the message
  --ttl TIME             not sent any more after that long: 90s, 15m, 2h, 7d
  --idempotency-key KEY  the same key and message again is the same message (default: drawn anew, told if the outcome is open)
  --wait                 until delivered, read, failed, expired or cancelled; the first two are success
  --timeout TIME         of --wait (default 60s)
${places}`;

const explain = `heliograph explain --number NAME|ID --to PHONE [--to PHONE]... --text TEXT [options]
heliograph explain --number NAME|ID --to-file FILE --template NAME --language CODE [--param VALUE]... [options]

The verdict of a real send, without sending: the rule that decides, when the message would go, what would have it allowed.
For several users in numbers: how many may go within 24 hours, how many are refused by which rule, when the last would go.
Exit code 0: all would be allowed; 1: at least one would not.

  --to PHONE             the user; may be repeated
  --to-file FILE         a phone number in each line, up to 5,000; - reads stdin
  --param, --lane, --ttl as of send
${places}`;

const cancel = `heliograph cancel ID [options]
heliograph cancel --campaign LABEL --number NAME|ID [options]

Cancels what is accepted or waiting. What is on its way already is not cancelled. One message that could not be cancelled is a
failure; a campaign of which nothing was left is not.
${places}`;

const tail = `heliograph tail [--number NAME|ID] [--full] [options]

Follows statuses, inbound messages, news of accounts and numbers as they are published, until Ctrl-C. What happened before, or
while NATS was away, is not shown. Contents of messages never are.

  --number NAME|ID       of this number
  --full                 phone numbers in full
${places}`;

const recover = `heliograph recover --since TIME [--yes] [options]

For a Postgres that lost commits: a failover to a standby that was behind, or a restore. Without --yes it says what it would do.

  --since TIME           nothing that was committed before is lost: the time of the backup, or a little before the failover;
                         an ISO time, or 15m, 2h, 7d ago. Repeated with the same ISO time it does nothing more
  --yes                  do it
${places}`;

const adopt = `heliograph adopt [--account WABA-ID] [--out DIR] [options]

Writes the resources of what an account has at WhatsApp: WhatsAppBusinessAccount, WhatsAppNumbers, WhatsAppTemplates. To apply them
changes nothing there: numbers that Heliograph does not run yet are declared Disconnected, a template that no resource can say just
so is declared with managementPolicy Observe, or named in a comment. It is asked for through a connected number of the account, so
one has to be declared before. Secrets are not written: comments say which are needed. --json gives a List for kubectl apply.

  --account WABA-ID      default: all accounts that have a connected number
  --name NAME            of the account's resource (default: made of its name at WhatsApp)
  --secret NAME          that the account refers to (default: the account's name)
  --out DIR              write files there, instead of stdout; existing files stay, and are a failure
${places}`;

const trial = `heliograph trial --number NAME|ID --simulator URL --listen HOST:PORT [options]

Waits until the number is connected, has a user of the simulator write to it, waits for the webhook of that, answers over the Cloud
API, and waits until the answer is delivered. A WebhookSubscription of the number must lead to HOST:PORT. This is what helm test runs.

  --simulator URL        the simulator's API
  --listen HOST:PORT     where webhooks are taken
  --timeout TIME         for all of it (default 3m)
${places}`;

export const helpTexts = { overview, status, messages, send, explain, cancel, tail, recover, adopt, trial } as const;
