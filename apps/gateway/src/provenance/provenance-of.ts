import { encodeReceipt, type Receipt } from '@careledger/ledger';
import type { Provenance } from '@medplum/fhirtypes';
import type { StoredVersion } from '../vault/index.ts';

const BASE = 'https://careledger.example/fhir';
/** In a signature: the salt that opens the version's commitment, base64. */
export const SALT_EXTENSION = `${BASE}/commitment-salt`;
/** Format of the signature's data: an anchor receipt, which holds the custodian's COSE_Sign1 transaction. */
export const RECEIPT_FORMAT = 'application/vnd.careledger.receipt+cbor';

const PARTICIPANT = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type';
const OPERATION = 'http://terminology.hl7.org/CodeSystem/v3-DataOperation';
/** ASTM E1762-95: the signer verified, rather than wrote, what is signed. */
const VERIFICATION = { system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.5' };

/** The participants of a version: who wrote it (organization, kind and user or client id), and who keeps it. */
function agentsOf(stored: StoredVersion, organization: string): Provenance['agent'] {
  const [author = organization, ...writer] = stored.actor.split('/');
  const named = (value: string) => ({ identifier: { system: `${BASE}/organization`, value } });
  return [
    {
      type: { coding: [{ system: PARTICIPANT, code: 'enterer' }] },
      who: { identifier: { system: `${BASE}/actor`, value: writer.join('/') || author } },
      onBehalfOf: named(author),
    },
    { type: { coding: [{ system: PARTICIPANT, code: 'custodian' }] }, who: named(organization) },
  ];
}

/**
 * The origin of one anchored version as FHIR says it: a Provenance whose signature is the anchor's receipt. Who has it
 * and the text of the version proves, offline, which custodian committed to it and since when.
 */
export function provenanceOf(options: {
  readonly stored: StoredVersion;
  readonly organization: string;
  readonly receipt: Receipt;
}): Provenance {
  const { stored, organization, receipt } = options;
  const when = new Date(receipt.anchor.header.time).toISOString();
  const reference = `${stored.type}/${stored.id}/_history/${stored.version}`;
  return {
    resourceType: 'Provenance',
    target: [{ reference }],
    recorded: when,
    activity: { coding: [{ system: OPERATION, code: stored.version === 1 ? 'CREATE' : 'UPDATE' }] },
    agent: agentsOf(stored, organization),
    signature: [
      {
        extension: [{ url: SALT_EXTENSION, valueBase64Binary: Buffer.from(stored.salt).toString('base64') }],
        type: [VERIFICATION],
        when,
        who: { identifier: { system: `${BASE}/organization`, value: organization } },
        targetFormat: 'application/fhir+json',
        sigFormat: RECEIPT_FORMAT,
        data: Buffer.from(encodeReceipt(receipt)).toString('base64'),
      },
    ],
  };
}
