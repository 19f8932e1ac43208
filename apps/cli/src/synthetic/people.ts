import type { Random } from './random.ts';

export const FAMILY_NAMES = [
  'Abara',
  'Bergstrom',
  'Castellano',
  'Delacroix',
  'Eriksen',
  'Fonseca',
  'Gallagher',
  'Hartwell',
  'Iwasaki',
  'Jankowski',
  'Kowalczyk',
  'Lindqvist',
  'Marchetti',
  'Novak',
  'Okonkwo',
  'Petrov',
  'Quintana',
  'Rasmussen',
  'Sandoval',
  'Takahashi',
  'Ueda',
  'Vasquez',
  'Whitaker',
  'Yilmaz',
  'Zielinski',
] as const;
const FEMALE_NAMES = [
  'Amelia',
  'Beatriz',
  'Chiara',
  'Dagny',
  'Elena',
  'Freya',
  'Grace',
  'Hana',
  'Ingrid',
  'Josefina',
  'Keiko',
  'Leila',
] as const;
const MALE_NAMES = [
  'Adam',
  'Bruno',
  'Casper',
  'Diego',
  'Emil',
  'Felix',
  'Goran',
  'Henrik',
  'Ivan',
  'Joaquin',
  'Kenji',
  'Lars',
] as const;
const STREETS = [
  'Alder Street',
  'Birch Lane',
  'Chapel Road',
  'Dock Street',
  'Elm Avenue',
  'Foundry Way',
] as const;
interface Town {
  readonly city: string;
  readonly state: string;
  readonly postalCode: string;
}
const TOWNS: readonly [Town, ...Town[]] = [
  { city: 'Springfield', state: 'MA', postalCode: '01103' },
  { city: 'Holyoke', state: 'MA', postalCode: '01040' },
  { city: 'Chicopee', state: 'MA', postalCode: '01013' },
];

export type Gender = 'female' | 'male';

export function humanName(random: Random, gender: Gender): { family: string; given: string[] } {
  const given = gender === 'female' ? FEMALE_NAMES : MALE_NAMES;
  return { family: random.pick(FAMILY_NAMES), given: [random.pick(given), random.pick(given)] };
}

export function address(random: Random): object {
  return {
    use: 'home',
    line: [`${random.integer(1, 240)} ${random.pick(STREETS)}`],
    ...random.pick(TOWNS),
    country: 'US',
  };
}

/** A number of the range that is kept free for fiction. */
export function phone(random: Random): object {
  return {
    system: 'phone',
    use: 'home',
    value: `413-555-01${String(random.integer(0, 99)).padStart(2, '0')}`,
  };
}
