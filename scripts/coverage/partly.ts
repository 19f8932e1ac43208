/** Ids whose tests show a part of the statement: what is still missing. */
export const PARTLY: Readonly<Record<string, string>> = {
  'LED-17': 'inputs up to a few MiB, not 1 GB',
  'LED-18': 'every birth date of 130 years, not all 10^9 social security numbers',
  'CRY-05':
    'certificates of nodes and gateways, revoked by membership state; no certificates for users, no CRL or OCSP',
  'NET-07':
    'users by role, every cell; wholesaler, dispenser and researcher are user roles, not kinds of member',
  'NET-10': 'receipts, bundles and reports verify for outsiders; no verifier role in membership',
  'NET-17': '25 blocks in the test and 300 by option, not 10,000',
  'CON-10': 'fixed list in turn; signers are not voted in or out',
  'SC-11':
    'what breaks R4 or a declared profile is refused; US Core 6.1 is not included (a member adds its package), no contracts',
  'OFF-03': '100 MB stream in and out, anchored and verified; not fetched by another member yet',
  'OFF-04': 'a bare lower-case name is kept out by the type rule alone, not by the detector',
  'OFF-08': 'altered records are found; a record that moved to another system is not re-pointed',
  'OFF-10': 'files and FHIR servers behind one contract; vault on SQLite; no PostgreSQL, no S3-like store',
  'OFF-14': 'dates and types are asked of the custodian, not of the ledger',
  'PRIV-06': 'the portable copy with proofs of origin; no report of Art. 15(1)(a) to (h)',
  'PRIV-14': 'packs and an old decision reproduced; no tool to amend rules',
  'PRIV-21':
    'merged over what was fetched, shown with three sources in one chart, not with three live custodians',
  'IOP-05': 'codes of outside systems are checked by form and check digit, not for existence',
  'IOP-15': 'located by consent; no published latency',
  'PERF-01': 'measured: 54 blocks/s with 4 validators and 234 with one, below the goals of 100 and 1,000',
  'PERF-03': 'MB/s and number of nodes at quick scale; no sensitivity to latency and bandwidth',
  'PERF-04': 'published to 10^4 keys; 10^6 is a benchmark of its own that has not been run to its end',
  'PERF-11': 'every limit is listed with its value; not each one is tested at the limit and one beyond',
};
