export { type Detect, detectorOf, findIdentifier, type IdentifierFinding } from './detector.ts';
export type { IdentifierKind } from './kinds.ts';
