import { CONSENT_ID_BYTES } from '@careledger/primitives';

/** The random tag of the introduction: only the two gateways know whom it stands for. */
export const LOCATOR_TAG_BYTES = 32;
/** What an entry's ciphertext holds once opened: `locatorTag` (32) ‖ `consentId` (16), and nothing else. */
export const LOCATOR_PLAINTEXT_BYTES: number = LOCATOR_TAG_BYTES + CONSENT_ID_BYTES;
