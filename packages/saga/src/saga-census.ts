/**
 * How many sagas run, wait and need a person, over all instances: counted from the log, which is
 * read from where the last count ended. Only those that have not ended are kept in memory.
 */
import type { Connection } from '@sagalog/client'
import type { SagaDefinition } from './definition.js'
import { BACK, TELLING } from './saga-list.js'
import { type Told, toldSince } from './told-events.js'

/** The sagas of one name that have not ended; each is counted once. */
export interface SagaCensus {
  readonly saga: string
  readonly running: number
  /** Those that wait for a signal or a lock. */
  readonly waiting: number
  readonly undoing: number
  /** Those that wait for a person. */
  readonly parked: number
}

interface Open {
  isBack: boolean
  isParked: boolean
  /** Signals and locks that it waits for. */
  readonly waitsFor: Set<string>
}

const STEP_MOVES = ['StepStarted', 'StepDone', 'StepSkipped']

/** The sagas of one name. */
class Counted {
  readonly #name: string
  /** Names of steps at which a saga waits for others than its services. */
  readonly #waits: ReadonlySet<string>
  readonly #open = new Map<string, Open>()
  readonly #telling

  constructor(definitions: readonly [SagaDefinition, ...SagaDefinition[]]) {
    const [{ name, events }] = definitions
    this.#name = name
    const waits = definitions.flatMap(({ steps }) =>
      steps.filter(({ action }) => action.kind === 'signal' || action.kind === 'lock'),
    )
    this.#waits = new Set(waits.map((step) => step.name))
    const types = this.#waits.size > 0 ? [...TELLING, ...STEP_MOVES] : TELLING
    this.#telling = { category: events.category, types, next: new Map<number, number>() }
  }

  async goOn(connection: Connection): Promise<void> {
    for await (const told of toldSince(connection, this.#telling)) this.#hear(told)
  }

  #openOf(sagaId: string): Open {
    const known = this.#open.get(sagaId)
    if (known !== undefined) return known
    const open: Open = { isBack: false, isParked: false, waitsFor: new Set() }
    this.#open.set(sagaId, open)
    return open
  }

  #hear({ sagaId, type, data }: Told): void {
    if (type === 'Completed' || type === 'Compensated') return void this.#open.delete(sagaId)
    const open = this.#openOf(sagaId)
    const step = String(data['step'])
    if (type === 'Parked') open.isParked = true
    else if (type === 'Resumed') open.isParked = false
    else if (BACK.includes(type)) open.isBack = true
    else if (type === 'StepStarted' && this.#waits.has(step)) open.waitsFor.add(step)
    else open.waitsFor.delete(step)
  }

  get census(): SagaCensus {
    const count = { running: 0, waiting: 0, undoing: 0, parked: 0 }
    for (const open of this.#open.values()) count[standingOf(open)] += 1
    return { saga: this.#name, ...count }
  }
}

function standingOf({ isBack, isParked, waitsFor }: Open): Exclude<keyof SagaCensus, 'saga'> {
  if (isParked) return 'parked'
  if (isBack) return 'undoing'
  return waitsFor.size > 0 ? 'waiting' : 'running'
}

/** Counts the sagas of these definitions, when it is called; those of one array are versions. */
export function sagaCensus(
  connection: Connection,
  definitions: readonly (readonly SagaDefinition[])[],
): () => Promise<readonly SagaCensus[]> {
  const all = definitions.flatMap(([first, ...others]) =>
    first === undefined ? [] : [new Counted([first, ...others])],
  )
  const count = async (): Promise<readonly SagaCensus[]> => {
    for (const one of all) await one.goOn(connection)
    return all.map(({ census }) => census)
  }
  let counting: Promise<readonly SagaCensus[]> | undefined
  // Two at a time would hear everything twice.
  return () => {
    counting ??= count().finally(() => {
      counting = undefined
    })
    return counting
  }
}
