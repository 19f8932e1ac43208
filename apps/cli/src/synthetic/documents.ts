import { createHash } from 'node:crypto';
import { to } from './chart.ts';
import { concept, hl7, loinc } from './codes.ts';
import type { Story, Visit } from './story.ts';
import { DAY, dateText, dateTimeText, MINUTE } from './time.ts';

function noteText(story: Story, visit: Visit): string {
  const age = Math.floor((visit.at - story.birth) / (365.25 * DAY));
  const problems = story.problems.map(({ problem }) => problem.clinical.display);
  return [
    `Progress note, ${dateText(visit.at)}`,
    `Seen for: ${visit.reason.display}.`,
    `${age}-year-old ${story.gender} patient. Known problems: ${problems.join(', ') || 'none'}.`,
    'Findings and results are recorded with this visit. Plan: continue as ordered, return as agreed.',
    '',
  ].join('\n');
}

function attachment(text: string, at: number): object {
  const bytes = Buffer.from(text, 'utf8');
  return {
    contentType: 'text/plain; charset=utf-8',
    language: 'en',
    data: bytes.toString('base64'),
    size: bytes.length,
    // R4 asks for SHA-1 here (datatypes, Attachment.hash); what we rely on is the commitment over the whole record.
    hash: createHash('sha1').update(bytes).digest('base64'),
    title: 'Progress note',
    creation: dateTimeText(at),
  };
}

/** The practitioner's note, now and then replaced by a corrected one. */
export function addNote(story: Story, visit: Visit): void {
  const { chart, random, now } = story;
  const text = noteText(story, visit);
  const common = {
    type: concept(loinc('11506-3', 'Progress note')),
    category: [concept(loinc('11506-3', 'Progress note'))],
    subject: to(story.patient),
    author: [to(visit.practitioner)],
    custodian: to(story.team.hospital),
    context: { encounter: [to(visit.encounter)], period: { start: dateTimeText(visit.at) } },
    securityLabel: [concept(hl7('v3-Confidentiality', 'N', 'normal'))],
  };
  const writtenAt = visit.at + 40 * MINUTE;
  const note = chart.add(
    'clinical',
    'DocumentReference',
    { at: visit.at, recordedAt: writtenAt },
    {
      status: 'current',
      date: dateTimeText(writtenAt),
      ...common,
      content: [{ attachment: attachment(text, writtenAt) }],
    },
  );
  const correctedAt = writtenAt + random.integer(1, 6) * DAY;
  if (!random.chance(8) || correctedAt > now) return;
  chart.revise(note, correctedAt, { status: 'superseded' });
  chart.add(
    'clinical',
    'DocumentReference',
    { at: visit.at, recordedAt: correctedAt + MINUTE },
    {
      status: 'current',
      date: dateTimeText(correctedAt),
      ...common,
      relatesTo: [{ code: 'replaces', target: to(note) }],
      content: [
        {
          attachment: attachment(`${text}Addendum: the plan was discussed with the patient.\n`, correctedAt),
        },
      ],
    },
  );
}
