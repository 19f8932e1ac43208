import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CodeSystem, Resource, StructureDefinition, ValueSet } from '@medplum/fhirtypes';
import { shortStructure } from './definition-texts.ts';
import { loadDefinitions } from './definitions.ts';
import { isObject, listOf } from './json-object.ts';
import { codesOf, ValueSetExpander } from './value-set-codes.ts';

/** Files of one folder of packages: US Core has 400, a national guide a few thousand. */
const FILES_MAX = 20_000;
/** Of one file: a larger one holds a code system that is no list to keep in memory. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Folders inside one another: `packages/name/package/file.json` and some to spare. */
const FOLDER_DEPTH_MAX = 6;

/** What a folder of profiles brought. */
export interface LoadedProfiles {
  /** Canonical URLs, with versions, of the profiles and extensions that are now validated against. */
  readonly profiles: readonly string[];
  /** Those that cannot be used, and why: `url: reason`. */
  readonly unusable: readonly string[];
}

function jsonFilesIn(folder: string, depth = 0): readonly string[] {
  if (depth > FOLDER_DEPTH_MAX) return [];
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...jsonFilesIn(path, depth + 1));
    else if (entry.isFile() && entry.name.endsWith('.json') && statSync(path).size <= FILE_BYTES_MAX)
      files.push(path);
    if (files.length > FILES_MAX)
      throw new RangeError(`More than ${FILES_MAX} files of profiles in one folder`);
  }
  return files.sort();
}

/** A file may hold one resource, a Bundle of them, or a list. */
function resourcesOf(content: unknown): readonly Resource[] {
  if (Array.isArray(content)) return content.flatMap(resourcesOf);
  if (!isObject(content) || typeof content.resourceType !== 'string') return [];
  if (content.resourceType !== 'Bundle') return [content as unknown as Resource];
  return listOf(content.entry).flatMap((entry) => (isObject(entry) ? resourcesOf(entry.resource) : []));
}

function readResources(folder: string): readonly Resource[] {
  return jsonFilesIn(folder).flatMap((path) => {
    try {
      return resourcesOf(JSON.parse(readFileSync(path, 'utf8')));
    } catch (error) {
      throw new Error(`${path} is not JSON`, { cause: error });
    }
  });
}

/** Why a StructureDefinition cannot be validated against; `undefined` when it can. */
function unusableBecause(definition: StructureDefinition): string | undefined {
  if (definition.fhirVersion !== undefined && !definition.fhirVersion.startsWith('4.0.'))
    return 'not for FHIR R4';
  if (definition.derivation !== 'constraint') return 'not a profile';
  if (!definition.snapshot?.element?.length) return 'no snapshot';
  return undefined;
}

/**
 * Makes this process validate against the profiles and extensions in a folder: the contents of FHIR packages, or
 * StructureDefinition files, with the ValueSets and CodeSystems that they bind. All resources that declare one of them in
 * `meta.profile` are then held to it; a profile nobody loaded is only noted. R4's own profiles need no folder.
 *
 * @throws Error for a file that is not JSON, RangeError for more files than the limit.
 * @example loadProfiles('/etc/careledger/profiles'); // the folder holds the unpacked package hl7.fhir.us.core
 */
export function loadProfiles(folder: string): LoadedProfiles {
  const definitions = loadDefinitions();
  const expander = new ValueSetExpander((system) => definitions.hasCode(system, '') !== undefined);
  const structures: StructureDefinition[] = [];
  for (const resource of readResources(folder)) {
    if (resource.resourceType === 'StructureDefinition') structures.push(resource);
    else if (resource.resourceType === 'ValueSet' || resource.resourceType === 'CodeSystem')
      expander.add(resource);
  }
  addTerminology(expander);
  const profiles: string[] = [];
  const unusable: string[] = [];
  for (const definition of structures) {
    const name = `${definition.url}|${definition.version ?? ''}`;
    const reason = unusableBecause(definition);
    if (reason === undefined) {
      definitions.addProfile(shortStructure(definition));
      profiles.push(name);
    } else unusable.push(`${name}: ${reason}`);
  }
  return { profiles, unusable };
}

function addTerminology(expander: ValueSetExpander): void {
  const definitions = loadDefinitions();
  for (const [url, system] of expander.codeSystems as ReadonlyMap<string, CodeSystem>) {
    const codes = codesOf(system);
    if (codes) definitions.addCodeSystem(url, codes);
  }
  for (const url of (expander.valueSets as ReadonlyMap<string, ValueSet>).keys()) {
    const codes = expander.expand(url);
    if (codes) definitions.addValueSet(url, codes);
  }
}
