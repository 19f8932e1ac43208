/** Ids whose tests show a part of the statement: what is still missing. */
export const PARTLY: Readonly<Record<string, string>> = {
  'LED-11': 'shown in virtual time; no published curve of tx/s over batch size yet',
  'LED-17': 'inputs up to a few MiB, not 1 GB',
  'LED-18': 'every birth date of 130 years, not all 10^9 social security numbers',
  'LED-21': 'outvoted and named in the simulator; no evidence transaction on the ledger',
  'LED-24': 'history shows both versions, the supersedes link and the actor; no reason',
  'LED-28':
    'author, validation result and validator version are kept; a record cannot be disputed on the ledger',
  'LED-34': 'sizes are reported and a snapshot can be made; a node does not prune yet',
  'CRY-02': 'AES-256-GCM, every tamper fails; Wycheproof AEAD vectors are not run',
  'CRY-05':
    'certificates of nodes and gateways, revoked by membership state; no certificates for users, no CRL or OCSP',
  'NET-10': 'receipts, bundles and reports verify for outsiders; no verifier role in membership',
  'NET-17': '25 blocks in the test and 300 by option, not 10,000',
  'CON-10': 'fixed list in turn; signers are not voted in or out',
  'SC-11': 'non-conformant R4 is refused; no profiles beyond R4, no contracts',
  'OFF-04': 'a bare lower-case name is kept out by the type rule alone, not by the detector',
  'OFF-08': 'altered records are found; a record that moved to another system is not re-pointed',
  'OFF-14': 'dates and types are asked of the custodian, not of the ledger',
  'PRIV-14': 'packs and an old decision reproduced; no tool to amend rules',
  'IOP-15': 'located by consent; no published latency',
  'DEP-01': 'command line and SDK; the SDK is not published as a package of its own',
};
