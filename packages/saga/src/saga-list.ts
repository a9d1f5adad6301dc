/**
 * The sagas of a definition, as the log has them: which there are, and how each of them stands. It
 * reads the category's queues from their beginning and keeps only what tells the states apart.
 */
import type { Connection } from '@sagalog/client'
import { type Told, toldSince } from './told-events.js'

/** How a saga stands, in a list of many. */
export interface SagaSummary {
  readonly sagaId: string
  readonly state: 'running' | 'undoing' | 'parked' | 'completed' | 'compensated'
  readonly version: number
  readonly fingerprint: string
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly changedAtMs: number
  /** Why it waits for a person. */
  readonly reason: string | undefined
}

/** Events after which a saga is compensated. */
export const BACK: readonly string[] = [
  'StepRefused',
  'StepTimedOut',
  'StepExhausted',
  'Cancelled',
  'Revoked',
]
/** Events that change how a saga stands; queues are read for these only. */
export const TELLING = [
  'Started',
  'Migrated',
  'Completed',
  'Compensated',
  'Parked',
  'Resumed',
  ...BACK,
]

/** Once it goes back it goes on so after it has waited for a person. */
interface Listed extends SagaSummary {
  readonly isBack: boolean
}

function after(before: Listed | undefined, { sagaId, type, data, atMs }: Told): Listed {
  const fresh = { sagaId, version: 0, fingerprint: '', startedAtMs: atMs, reason: undefined }
  const known: Listed = before ?? { ...fresh, state: 'running', changedAtMs: atMs, isBack: false }
  const changed = { ...known, changedAtMs: atMs }
  const shape = { version: Number(data['version']), fingerprint: String(data['fingerprint']) }
  if (type === 'Started') return { ...changed, ...shape, startedAtMs: atMs }
  if (type === 'Migrated') return { ...changed, ...shape }
  if (type === 'Completed') return { ...changed, state: 'completed' }
  if (type === 'Compensated') return { ...changed, state: 'compensated' }
  if (type === 'Parked') return { ...changed, state: 'parked', reason: String(data['reason']) }
  const state = known.isBack ? 'undoing' : 'running'
  if (type === 'Resumed') return { ...changed, state, reason: undefined }
  return BACK.includes(type) ? { ...changed, state: 'undoing', isBack: true } : changed
}

/**
 * All sagas of a category, in the order of their start. None when nothing was ever started there.
 * Rejects with UNREADABLE or a ClientError.
 */
export async function listSagas(
  connection: Connection,
  { events: { category } }: { readonly events: { readonly category: string } },
): Promise<readonly SagaSummary[]> {
  const sagas = new Map<string, Listed>()
  for await (const told of toldSince(connection, { category, types: TELLING, next: new Map() }))
    sagas.set(told.sagaId, after(sagas.get(told.sagaId), told))
  const all = [...sagas.values()].map((listed): SagaSummary => {
    const { isBack: _isBack, ...summary } = listed
    return summary
  })
  return all.toSorted((one, other) => one.startedAtMs - other.startedAtMs)
}
