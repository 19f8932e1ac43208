import type { Scope } from '../../caller.ts';
import { parseScope } from '../scopes.ts';

const SMART_WORDS: Readonly<Record<string, string>> = {
  openid: 'Know who you are: an account number, not your name',
  fhirUser: 'Know which entry in the directory is yours',
  profile: 'Know which entry in the directory is yours',
  launch: 'Know which patient you have open',
  'launch/patient': 'Know which patient you choose',
  'launch/encounter': 'Know which visit you have open',
  online_access: 'Keep working until you sign out',
  offline_access: 'Keep working when you are away, for up to 90 days',
};

function verbsOf(scope: Scope): string {
  const verbs = [
    scope.read ? 'see' : '',
    scope.search ? 'search' : '',
    scope.create ? 'add' : '',
    scope.update ? 'change' : '',
    scope.delete ? 'delete' : '',
  ].filter((verb) => verb !== '');
  const [last] = verbs.slice(-1);
  const text = verbs.length < 2 ? (last ?? '') : `${verbs.slice(0, -1).join(', ')} and ${last}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `MedicationRequest` → `medication request`. */
function wordsOf(type: string): string {
  return type.replace(/(?!^)([A-Z])/g, ' $1').toLowerCase();
}

/** What a scope lets an app do, in a sentence for the person who is asked. */
export function scopeWords(text: string): string {
  const scope = parseScope(text);
  if (!scope) return SMART_WORDS[text] ?? text;
  const what = scope.type === '*' ? 'all records' : `${wordsOf(scope.type)} records`;
  const whose = scope.context === 'patient' ? 'of this patient' : 'that you may use';
  const only = scope.restriction?.map(([name, value]) => `${name} is ${value}`).join(' and ');
  return `${verbsOf(scope)} ${what} ${whose}${only === undefined ? '' : `, only where ${only}`}`;
}
