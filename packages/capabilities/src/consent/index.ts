import { type Capability, messageType } from '@careledger/state-machine';
import { everyConsentHasItsOwnKey, periodsAreNotEmpty } from './invariants.ts';
import { grantConsentCodec, grantText, revokeConsentCodec, revokeText } from './messages.ts';
import { rejections } from './rejections.ts';
import { grantConsent, revokeConsent } from './transitions.ts';

export const consent: Capability = {
  name: 'consent',
  codeBase: 4000,
  rejections,
  messages: {
    'consent/grant': messageType({
      codec: grantConsentCodec,
      transition: grantConsent,
      signaturesOf: (message, chain) => [
        {
          publicKey: message.patientKey,
          message: grantText(chain, message),
          signature: message.patientSignature,
        },
      ],
    }),
    'consent/revoke': messageType({
      codec: revokeConsentCodec,
      transition: revokeConsent,
      signaturesOf: ({ consentId, patientProof }, chain) =>
        patientProof
          ? [
              {
                publicKey: patientProof.patientKey,
                message: revokeText(chain, consentId),
                signature: patientProof.signature,
              },
            ]
          : [],
    }),
  },
  invariants: [periodsAreNotEmpty, everyConsentHasItsOwnKey],
};

export {
  type GrantConsent,
  type GrantTerms,
  grantConsentCodec,
  grantText,
  type PatientProof,
  type RevokeConsent,
  revokeConsentCodec,
  revokeText,
} from './messages.ts';
export { isConsentActive, wasConsentActive } from './queries.ts';
export type { ConsentRejection } from './rejections.ts';
export { type ConsentRecord, consentKey, consentRecordCodec, readConsent } from './state.ts';
