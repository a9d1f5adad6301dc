/**
 * Which shapes of definitions were ever run here. A program whose definition does not fit the sagas
 * that run is refused when it starts, with what changed, instead of parking them one by one.
 */
import type { Connection } from '@sagalog/client'
import { defineEvents, type EventStore } from '@sagalog/event-store'
import * as t from 'io-ts'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { shapeDiff, shapeLines } from './fingerprint.js'
import { listSagas } from './saga-list.js'

/** One stream per saga name. */
export const DefinitionEvents = defineEvents('saga-definitions', {
  Seen: t.type({ version: t.number, fingerprint: t.string, lines: t.array(t.string) }),
})

export interface Mismatch {
  readonly saga: string
  readonly version: number
  readonly fingerprint: string
  /** Sagas of that shape that have not ended. */
  readonly running: number
  /** What this program's definition has instead, one line each. */
  readonly diff: readonly string[]
}

const isCarriedOver = (definition: SagaDefinition, version: number): boolean =>
  definition.from[version] !== undefined && version !== definition.version

/**
 * Shapes that still have running sagas and that none of these definitions, all of one name, can go
 * on with. Reads the running sagas only when a shape is not known.
 */
export async function mismatchesOf(
  connection: Connection,
  store: EventStore,
  definitions: readonly SagaDefinition[],
): Promise<readonly Mismatch[]> {
  const [newest] = definitions
  if (newest === undefined) return []
  const { events } = await store.read(DefinitionEvents, newest.name)
  const known = new Set(definitions.map(({ fingerprint }) => fingerprint))
  const strange = events
    .map(({ data }) => data)
    .filter(
      ({ fingerprint, version }) => !known.has(fingerprint) && !isCarriedOver(newest, version),
    )
  if (strange.length === 0) return []
  const sagas = await listSagas(connection, newest)
  const isOver = (state: string): boolean => state === 'completed' || state === 'compensated'
  return strange.flatMap(({ fingerprint, version, lines }) => {
    const running = sagas.filter(
      (saga) => saga.fingerprint === fingerprint && !isOver(saga.state),
    ).length
    if (running === 0) return []
    const diff = shapeDiff(lines, shapeLines(newest))
    return [{ saga: newest.name, version, fingerprint, running, diff }]
  })
}

/** Writes down that these definitions run from now on, when that is new. */
async function remember(store: EventStore, definition: SagaDefinition): Promise<void> {
  const { name, version, fingerprint } = definition
  const { events } = await store.read(DefinitionEvents, name)
  if (events.some(({ data }) => data.fingerprint === fingerprint)) return
  const lines = [...shapeLines(definition)]
  await store.append(
    DefinitionEvents,
    name,
    [DefinitionEvents.make.Seen({ version, fingerprint, lines })],
    { expected: 'any' },
  )
}

/** What a refusal at start-up says. */
export function mismatchText({ saga, version, running, diff }: Mismatch): string {
  const what = `${running} running ${running === 1 ? 'saga' : 'sagas'} of ${saga} version ${version}`
  return [`${what} cannot go on with this definition:`, ...diff].join('\n  ')
}

/**
 * Checks the definitions of one name against the running sagas, then remembers them. Rejects with
 * DEFINITION_CHANGED.
 */
export async function checkDefinitions(
  connection: Connection,
  store: EventStore,
  { definitions, mayDiffer }: { definitions: readonly SagaDefinition[]; mayDiffer: boolean },
): Promise<void> {
  await store.ensureCategory(DefinitionEvents, { queues: 1 })
  const mismatches = mayDiffer ? [] : await mismatchesOf(connection, store, definitions)
  const [first] = mismatches
  if (first !== undefined)
    throw new SagaError('DEFINITION_CHANGED', {
      saga: first.saga,
      report: mismatches.map(mismatchText).join('\n'),
    })
  for (const definition of definitions) await remember(store, definition)
}
