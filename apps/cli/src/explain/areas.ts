/** What an area of codes is about, and what helps where a code brings no words of its own. */
export interface Area {
  readonly about: string;
  readonly help: string;
}

const RULES =
  'Its capability’s README says when this message is accepted; the state it was judged by is read with `careledger query`.';
const FILE =
  'The file was changed, cut short, or belongs to another chain. Ask whoever gave it to you for another copy.';
const DISK = 'Stop the member, look at the file that is named, and restore it from a backup.';
const RELEASE =
  'Nothing was released or filed. The custodian’s journal says the same; try again when the cause is gone.';

/** Every area that an error code may begin with. A new area is a line here. */
export const AREAS: Readonly<Record<string, Area>> = {
  access: {
    about: 'Who may read the ledger node’s API.',
    help: 'Show the operator’s token or one signed by a key in force.',
  },
  answer: { about: 'An answer of a member.', help: 'Ask for less at a time.' },
  api: {
    about: 'A request to the ledger node.',
    help: 'See /v1/openapi.json of the node for the form of every request.',
  },
  backup: {
    about: 'A backup of a keystore.',
    help: 'Use another copy of the backup, or one of a newer epoch.',
  },
  block: { about: 'A block of an audit bundle, or one that a node was sent.', help: FILE },
  bundle: { about: 'An audit bundle.', help: FILE },
  cli: { about: 'The command line.', help: 'Run the verb with --help to see what it takes.' },
  client: {
    about: 'An answer of a node, as the SDK judged it.',
    help: 'Ask another node. If this one belongs to a member, tell its operator.',
  },
  consent: { about: 'A consent on the ledger.', help: RULES },
  consortium: {
    about: 'The local consortium’s data folder.',
    help: 'Run `npm start` first, or name its folder with --data.',
  },
  data: {
    about: 'The data folder of `npm start`.',
    help: 'Stop the other process that uses it, or choose another folder with --data.',
  },
  disclosures: { about: 'An anchor of disclosures on the ledger.', help: RULES },
  dispute: { about: 'The answer to what held at an instant.', help: FILE },
  document: {
    about: 'A large document at the gateway.',
    help: 'See docs and the OperationOutcome’s diagnostics for its limits.',
  },
  engine: { about: 'The ordering engine of a node.', help: DISK },
  events: {
    about: 'A subscription to events.',
    help: 'Send the id of the last event exactly as it came, or none.',
  },
  exchange: { about: 'The exchange between two members.', help: RELEASE },
  explain: { about: 'This catalogue.', help: 'Write the code exactly as it was shown.' },
  export: {
    about: 'A bulk export at the gateway.',
    help: 'Start the export anew; the old one’s files expire.',
  },
  fhir: {
    about: 'A FHIR request.',
    help: 'The OperationOutcome names the element; correct it and send it again.',
  },
  file: { about: 'A file that was to be verified.', help: FILE },
  gateway: { about: 'A member’s gateway.', help: 'Stop the other process that serves this home.' },
  genesis: {
    about: 'The genesis document.',
    help: 'Use the genesis document that the consortium’s charter names by its hash.',
  },
  handshake: {
    about: 'A connection between two nodes.',
    help: 'Compare chain, engine, version and membership of the two nodes.',
  },
  import: {
    about: 'An import of data that exists elsewhere.',
    help: 'The report names file, entry and expression. Starting again changes nothing that is there.',
  },
  index: {
    about: 'The search index of a gateway.',
    help: 'It is derived: remove it, and the gateway builds it anew at its start.',
  },
  introduction: {
    about: 'A recipient’s introduction at a custodian.',
    help: 'Ask the recipient’s desk for a new introduction.',
  },
  journal: { about: 'The disclosure journal of a custodian.', help: DISK },
  json: {
    about: 'The JSON of a request or a file.',
    help: 'Correct the text at the place that is named; values are not repeated.',
  },
  key: {
    about: 'A signing key file.',
    help: 'A key file is readable by its owner alone (chmod 600) and is never replaced.',
  },
  keystore: { about: 'The keystore of a gateway.', help: DISK },
  launch: { about: 'A SMART launch.', help: 'Launch the application anew from the record.' },
  ledger: {
    about: 'What a node keeps of the chain.',
    help: 'Ask for a height that the node’s status names, or ask a node that keeps more.',
  },
  locator: { about: 'A locator entry on the ledger.', help: RULES },
  login: { about: 'The sign-in of a user.', help: 'Sign in again, or ask the organization’s administrator.' },
  match: { about: 'A record that was compared with its proof.', help: FILE },
  member: {
    about: 'A member’s process on this machine.',
    help: 'Start it with `npm start`; its log is in its home under logs/.',
  },
  membership: { about: 'Who belongs to the consortium.', help: RULES },
  mempool: {
    about: 'The queue of transactions of a node.',
    help: 'Send the same bytes again in a second: a transaction has effect once.',
  },
  metrics: { about: 'The gateway’s metrics.', help: 'Ask with the operator’s token.' },
  move: {
    about: 'Moving a record that was filed under the wrong patient.',
    help: 'Correct the request and send it again.',
  },
  node: { about: 'A ledger node.', help: 'See its log; ask another node meanwhile.' },
  policy: {
    about: 'The decision to release.',
    help: 'The decision names its rules; a consent or another ground is needed.',
  },
  port: {
    about: 'A port of this machine.',
    help: 'Stop what listens there, or give another first port with --port.',
  },
  proposal: {
    about: 'A block that was proposed to this node.',
    help: 'Nothing to do for a user: another proposer follows. The operator sees who proposed it in the log.',
  },
  receipt: { about: 'A receipt of a record.', help: FILE },
  'record-proof': { about: 'A record proof.', help: FILE },
  records: { about: 'An anchor of records on the ledger.', help: RULES },
  release: { about: 'A release by a custodian.', help: RELEASE },
  report: { about: 'A disclosure report.', help: FILE },
  request: {
    about: 'A request to the gateway.',
    help: 'Correct the request and send it again; see /fhir/R4/metadata for what is served.',
  },
  schemas: { about: 'A schema of a message type on the ledger.', help: RULES },
  scope: {
    about: 'The scopes of a token.',
    help: 'Ask for a token with the scope that the operation needs.',
  },
  server: { about: 'The gateway itself.', help: 'Try again later; the gateway’s log has the cause.' },
  snapshot: {
    about: 'A snapshot of the ledger’s state.',
    help: 'Take another snapshot, or replay the blocks.',
  },
  'state-machine': {
    about: 'The state machine of a node.',
    help: 'The node has halted so that nobody takes it for a working member. Keep its files and call for help.',
  },
  'state-proof': { about: 'A state proof.', help: FILE },
  statement: { about: 'A signed statement between members.', help: 'Ask its sender to make it anew.' },
  store: { about: 'The files of a ledger node.', help: DISK },
  tls: {
    about: 'The TLS connection.',
    help: 'Use the consortium’s certificate authority and a certificate of a member in force.',
  },
  token: {
    about: 'An access token.',
    help: 'Ask the token endpoint for a new one; `careledger token` does it for the local consortium.',
  },
  transaction: {
    about: 'A transaction, before or in a block.',
    help: 'Make it with the SDK or `careledger submit`, which keep its canonical form.',
  },
  user: { about: 'A user of an organization.', help: 'See `careledger users --help`.' },
  users: { about: 'The users of an organization.', help: 'See `careledger users --help`.' },
  validation: {
    about: 'A FHIR resource that is not valid.',
    help: 'The OperationOutcome names each element; correct them and send it again.',
  },
  vault: { about: 'The vault of a gateway.', help: DISK },
};

/** First words of literals of the same form that are no error codes: media types, domains, key names, states. */
export const NOT_AREAS: ReadonlySet<string> = new Set([
  'agreement',
  'application',
  'careledger',
  'chain',
  'image',
  'none',
  'revocation',
  'signing',
  'system',
  'text',
  'user-agent',
  'wrapping',
]);
