/** The definitions among the exports of a user's module, for commands that need them. */
import type { SagaDefinition } from '@sagalog/saga'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const isSaga = (value: unknown): value is SagaDefinition =>
  typeof value === 'object' && value !== null && 'fingerprint' in value && 'stages' in value

/** Loads the module, which runs it. Rejects with what the module throws. */
export async function definitionsIn(path: string): Promise<readonly SagaDefinition[]> {
  const exported: unknown = await import(pathToFileURL(resolve(path)).href)
  return Object.values(exported as object).filter(isSaga)
}
