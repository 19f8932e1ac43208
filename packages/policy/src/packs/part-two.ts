import type { PartTwoConsent } from '../facts.ts';
import type { ReleaseRule } from '../rule-pack.ts';

/** Labels of records of a federally assisted substance use programme. */
export const PART_TWO_LABELS = ['42CFRPart2', '42CFRPart2CD', 'ETH', 'SUD'] as const;

/** 42 CFR Part 2: without its own consent such a record is not released, and not even located. */
export function partTwoRules(prefix: string, sufficient: readonly PartTwoConsent[]): readonly ReleaseRule[] {
  return [
    {
      id: `${prefix}.part-2-emergency`,
      source: '42 CFR 2.51',
      when: { labels: PART_TWO_LABELS, isEmergency: true, purposes: ['ETREAT'] },
      effect: 'permit',
      ground: 'emergency',
      obligations: ['journal', 'redisclosure-notice', 'review', 'notify-patient'],
    },
    {
      id: `${prefix}.part-2-consent`,
      source: '42 CFR 2.31, 2.33',
      when: { labels: PART_TWO_LABELS, isConsented: true, partTwo: sufficient },
      effect: 'permit',
      ground: 'consent',
      obligations: ['journal', 'redisclosure-notice'],
    },
    {
      id: `${prefix}.part-2-without-consent`,
      source: '42 CFR 2.13',
      when: { labels: PART_TWO_LABELS },
      effect: 'deny',
    },
  ];
}
