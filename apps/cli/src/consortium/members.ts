import type { EntityType } from '@careledger/capabilities';

/** One organization of the local consortium. */
export interface LocalMember {
  readonly name: string;
  readonly title: string;
  readonly entityType: EntityType;
}

export const HOSPITAL = 'general-hospital';
export const CLINIC = 'city-clinic';
export const PAYER = 'acme-health-plan';
export const PUBLIC_HEALTH = 'county-public-health';

/** Four members: with four validators the ledger lives on without any one of them. */
export const LOCAL_MEMBERS: readonly LocalMember[] = [
  { name: HOSPITAL, title: 'General Hospital', entityType: 'provider' },
  { name: CLINIC, title: 'City Clinic', entityType: 'provider' },
  { name: PAYER, title: 'Acme Health Plan', entityType: 'payer' },
  { name: PUBLIC_HEALTH, title: 'County Public Health', entityType: 'public-health' },
];

export const BASE_PORT = 7400;
const PORTS_PER_MEMBER = 10;

export interface MemberPorts {
  readonly fhir: number;
  readonly node: number;
  readonly peer: number;
}

/** Which ports the member at this place in {@link LOCAL_MEMBERS} listens on. */
export function portsOf(basePort: number, place: number): MemberPorts {
  const first = basePort + place * PORTS_PER_MEMBER;
  return { fhir: first, node: first + 1, peer: first + 2 };
}
