/** The definitions among the exports of a user's module, for commands that need them. */
import type { SagaDefinition } from '@sagalog/saga'
import { exportsOf } from './user-module-node.js'

const isSaga = (value: unknown): value is SagaDefinition =>
  typeof value === 'object' && value !== null && 'fingerprint' in value && 'stages' in value

/** Loads the module, which runs it. Rejects as `exportsOf`. */
export async function definitionsIn(path: string): Promise<readonly SagaDefinition[]> {
  return Object.values(await exportsOf(path)).filter(isSaga)
}
