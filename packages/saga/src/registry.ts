/**
 * Which shapes of definitions were ever run here. A program whose definition does not fit the sagas
 * that run is refused when it starts, with what changed, instead of parking them one by one.
 */
import type { Connection } from '@sagalog/client'
import { defineEvents, type EventsOf, type EventStore } from '@sagalog/event-store'
import * as t from 'io-ts'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { shapeDiff, shapeLines } from './fingerprint.js'
import { listSagas } from './saga-list.js'

/** One stream per saga name. */
export const DefinitionEvents = defineEvents('saga-definitions', {
  Seen: t.type({ version: t.number, fingerprint: t.string, lines: t.array(t.string) }),
  /** No saga of this shape was left: nobody has to look for them any more. */
  Retired: t.type({ fingerprint: t.string }),
})
type Shape = Extract<EventsOf<typeof DefinitionEvents>, { readonly type: 'Seen' }>

/** The shapes that sagas may still have, by fingerprint. */
async function liveShapes(
  store: EventStore,
  name: string,
): Promise<ReadonlyMap<string, Shape['data']>> {
  const { events } = await store.read(DefinitionEvents, name)
  const shapes = new Map<string, Shape['data']>()
  for (const { type, data } of events)
    if (type === 'Seen') shapes.set(data.fingerprint, data)
    else shapes.delete(data.fingerprint)
  return shapes
}

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

interface Strange {
  readonly mismatches: readonly Mismatch[]
  /** Fingerprints of shapes that no running saga has. */
  readonly unused: readonly string[]
}

/** The shapes that none of these can go on with. The sagas are read only when there are such. */
async function strangeShapes(
  connection: Connection,
  store: EventStore,
  definitions: readonly SagaDefinition[],
): Promise<Strange> {
  const [newest] = definitions
  if (newest === undefined) return { mismatches: [], unused: [] }
  const known = new Set(definitions.map(({ fingerprint }) => fingerprint))
  const strange = [...(await liveShapes(store, newest.name)).values()].filter(
    ({ fingerprint, version }) => !known.has(fingerprint) && !isCarriedOver(newest, version),
  )
  if (strange.length === 0) return { mismatches: [], unused: [] }
  const running = new Map<string, number>()
  for (const { fingerprint, state } of await listSagas(connection, newest))
    if (state !== 'completed' && state !== 'compensated')
      running.set(fingerprint, (running.get(fingerprint) ?? 0) + 1)
  const mismatches = strange.flatMap(({ fingerprint, version, lines }): readonly Mismatch[] => {
    const count = running.get(fingerprint)
    if (count === undefined) return []
    const diff = shapeDiff(lines, shapeLines(newest))
    return [{ saga: newest.name, version, fingerprint, running: count, diff }]
  })
  const unused = strange.filter(({ fingerprint }) => !running.has(fingerprint))
  return { mismatches, unused: unused.map(({ fingerprint }) => fingerprint) }
}

/**
 * Shapes that still have running sagas and that none of these definitions, all of one name, can go
 * on with.
 */
export async function mismatchesOf(
  connection: Connection,
  store: EventStore,
  definitions: readonly SagaDefinition[],
): Promise<readonly Mismatch[]> {
  return (await strangeShapes(connection, store, definitions)).mismatches
}

/**
 * Writes down that these definitions run from now on, when that is new. Otherwise shapes without
 * sagas are retired: while the first instances with a new definition come up, older ones may still
 * start sagas of the old shape.
 */
async function remember(
  store: EventStore,
  definitions: readonly SagaDefinition[],
  unused: readonly string[],
): Promise<void> {
  const [newest] = definitions
  if (newest === undefined) return
  const live = await liveShapes(store, newest.name)
  const { make } = DefinitionEvents
  const seen = definitions
    .filter(({ fingerprint }) => !live.has(fingerprint))
    .map((definition) => {
      const { version, fingerprint } = definition
      return make.Seen({ version, fingerprint, lines: [...shapeLines(definition)] })
    })
  const retired = unused.map((fingerprint) => make.Retired({ fingerprint }))
  const events = live.has(newest.fingerprint) ? [...seen, ...retired] : seen
  if (events.length > 0)
    await store.append(DefinitionEvents, newest.name, events, { expected: 'any' })
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
  const { mismatches, unused } = mayDiffer
    ? { mismatches: [], unused: [] }
    : await strangeShapes(connection, store, definitions)
  const [first] = mismatches
  if (first !== undefined)
    throw new SagaError('DEFINITION_CHANGED', {
      saga: first.saga,
      report: mismatches.map(mismatchText).join('\n'),
    })
  await remember(store, definitions, unused)
}
