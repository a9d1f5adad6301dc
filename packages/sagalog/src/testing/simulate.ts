/**
 * Looks for a run of a saga that breaks a promise, under crashes, refusals, lost answers, late and
 * doubled messages and jumping clocks: the real runtime and the real broker's commit over a
 * simulated disk, clock and network. What is found is made as small as it gets and told as a story.
 */
import type { Connection } from '@sagalog/client'
import { seededRandom } from '@sagalog/kernel/testing'
import {
  evolve,
  hasEnded,
  type Saga,
  type SagaDefinition,
  type SagaEvent,
  sagaInitial,
  type SagaState,
} from '@sagalog/saga'
import { drawFaults, type Fault, type FaultClass, faultClasses } from './faults.js'
import type { Effects, LedgerRules } from './ledger.js'
import { SagaWorld } from './saga-world.js'
import type { Simulated } from './simulated-saga.js'

export interface SimulateOptions<Input> {
  /** What each step comes to, by its name; a function of what it may read. Null unless told. */
  readonly services?: Readonly<Record<string, Simulated | Simulated['result']>>
  /** All of them unless told. */
  readonly faults?: readonly FaultClass[]
  /** The input of saga `number`, from 1. */
  readonly input: (number: number) => Input
  /** Signals that each saga gets, by name, as their codecs encode them. */
  readonly signals?: Readonly<Record<string, unknown>>
  /** Sagas in a world. 3 unless told. */
  readonly sagas?: number
  /** Worlds that are tried. 25 unless told. */
  readonly seeds?: number
  /** The first seed; 1 unless told. */
  readonly from?: number
  /** Stops after so many milliseconds by `nowMs`, however many seeds are left. */
  readonly box?: { readonly ms: number; readonly nowMs: () => number }
  /** What participants keep. Both unless told: a sound participant keeps keys and a fence. */
  readonly participants?: Partial<LedgerRules>
}

/** How one saga of a world ended, and what it left behind. */
export interface SimulatedEnd {
  readonly saga: number
  readonly sagaId: string
  readonly outcome: 'completed' | 'compensated' | 'parked' | 'stuck'
  readonly committed: boolean
  /** What became of a step; in a loop, `name#index`. */
  effects(step: string): Effects
  readonly state: SagaState
  readonly history: readonly SagaEvent[]
}

export interface SimulationReport {
  readonly seeds: number
  readonly sagas: number
  readonly commits: number
  /** How often each fault struck. */
  readonly faults: Readonly<Record<FaultClass, number>>
  readonly outcomes: Readonly<Record<SimulatedEnd['outcome'], number>>
  /** Effects that keys and fences kept from happening. */
  readonly prevented: number
}

export type Invariant = (end: SimulatedEnd) => boolean

export interface Simulation {
  /**
   * Runs the worlds. Rejects with the smallest story of the first that breaks the invariant or one
   * of the promises that hold for every saga: it ends or waits in sight; completed, each effect
   * stands once; compensated, all that was done is undone, in reverse.
   */
  always(invariant: Invariant): Promise<SimulationReport>
}

const WITHIN_MS = 4 * 60_000
const STORY_LINES_MAX = 10

/** What one world came to. */
interface Outcome {
  readonly ends: readonly SimulatedEnd[]
  readonly world: SagaWorld
  readonly broken: { readonly saga: number; readonly promise: string } | undefined
}

interface Plan {
  readonly seed: number
  readonly faults: readonly Fault[]
  /** The numbers of the sagas that are started. */
  readonly sagas: readonly number[]
}

function endOf(world: SagaWorld, saga: number, history: readonly SagaEvent[]): SimulatedEnd {
  const sagaId = `s${saga}`
  const state = history.reduce(evolve, sagaInitial)
  const isEnded = hasEnded(state)
  const parked = state.parked === undefined ? 'stuck' : 'parked'
  const outcome = isEnded ? (state.phase as 'completed' | 'compensated') : parked
  return {
    saga,
    sagaId,
    outcome,
    committed: outcome === 'completed',
    effects: (step) => world.ledger.of(`${sagaId}/${step}`),
    state,
    history,
  }
}

const stepsOf = (history: readonly SagaEvent[], type: SagaEvent['type']): readonly string[] =>
  history.flatMap((event) => (event.type === type && 'step' in event.data ? [event.data.step] : []))

/** The promises that every saga keeps, whatever its author wants besides. */
function brokenPromise(definition: SagaDefinition, end: SimulatedEnd): string | undefined {
  const { outcome, history } = end
  if (outcome === 'stuck') return 'it neither ends nor waits in sight of a person'
  const ends = history.filter(({ type }) => type === 'Completed' || type === 'Compensated').length
  if (outcome !== 'parked' && ends !== 1) return `it ends ${ends} times`
  const started = [...new Set(stepsOf(history, 'StepStarted'))]
  const acts = (name: string): boolean => {
    const step = definition.steps.find((one) => one.name === name.split('#', 1)[0])
    return step?.action.kind === 'local' || step?.action.kind === 'remote'
  }
  const isKept = new Set(stepsOf(history, 'UndoSkipped'))
  for (const name of started.filter(acts)) {
    const { done, undone } = end.effects(name)
    if (done > 1) return `${name} happened ${done} times`
    if (outcome === 'completed' && (done !== 1 || undone !== 0))
      return `it completed, but ${name} happened ${done} times and was taken back ${undone} times`
    if (outcome === 'compensated' && done !== undone && !isKept.has(name))
      return `it was compensated, but ${name} happened ${done} times and was taken back ${undone} times`
  }
  const undone = stepsOf(history, 'UndoStarted')
  const reversed = started.filter((name) => undone.includes(name)).reverse()
  if (undone.join() !== reversed.join()) return `its undos ran in the order ${undone.join(', ')}`
  return undefined
}

class Campaign<Input> {
  readonly #definition: SagaDefinition
  readonly #options: SimulateOptions<Input>
  readonly #invariant: Invariant

  constructor(definition: SagaDefinition, options: SimulateOptions<Input>, invariant: Invariant) {
    this.#definition = definition
    this.#options = options
    this.#invariant = invariant
  }

  planOf(seed: number): Plan {
    const { faults: classes = faultClasses, sagas = 3 } = this.#options
    const random = seededRandom(seed).fork('faults')
    const faults = drawFaults(random, { definition: this.#definition, classes, sagas })
    return { seed, faults, sagas: Array.from({ length: sagas }, (_, index) => index + 1) }
  }

  async run({ seed, faults, sagas }: Plan): Promise<Outcome> {
    const { participants, input, signals = {} } = this.#options
    const services = Object.fromEntries(
      Object.entries(this.#options.services ?? {}).map(([name, given]) => [
        name,
        typeof given === 'function' ? { result: given } : given,
      ]),
    )
    const world = new SagaWorld({
      seed,
      definition: this.#definition,
      services,
      faults,
      rules: { keepsKeys: true, hasFence: true, ...participants },
    })
    try {
      const inputs = new Map(sagas.map((saga) => [`s${saga}`, input(saga)]))
      const look = async (connection: Connection) => {
        const ends: SimulatedEnd[] = []
        for (const saga of sagas) {
          const { events } = await world.store(connection).read(world.definition.events, `s${saga}`)
          ends.push(endOf(world, saga, events))
        }
        return { isOver: ends.every(({ outcome }) => outcome !== 'stuck'), seen: ends }
      }
      const ends = await world.run(inputs, { look, signals, withinMs: WITHIN_MS })
      return { ends, world, broken: this.#broken(world, ends) }
    } finally {
      world.close()
    }
  }

  #broken(world: SagaWorld, ends: readonly SimulatedEnd[]): Outcome['broken'] {
    if (world.earlyReplies > 0) return { saga: 0, promise: 'a reply left before it was safe' }
    if (world.commits === 0) return { saga: 0, promise: 'nothing was committed by the broker' }
    for (const end of ends) {
      const promise = brokenPromise(this.#definition, end)
      if (promise !== undefined) return { saga: end.saga, promise }
      if (!this.#invariant(end)) return { saga: end.saga, promise: 'the invariant does not hold' }
    }
    return undefined
  }

  /** Takes faults and sagas away as long as it stays broken. */
  async shrink(from: Plan, found: Outcome): Promise<{ plan: Plan; outcome: Outcome }> {
    let [plan, outcome] = [from, found]
    const smaller = async (next: Plan): Promise<boolean> => {
      const tried = await this.run(next)
      if (tried.broken === undefined) return false
      plan = next
      outcome = tried
      return true
    }
    const alone = outcome.broken?.saga ?? 0
    if (alone > 0 && plan.sagas.length > 1) {
      const faults = plan.faults.filter(({ saga }) => saga === alone)
      await smaller({ ...plan, sagas: [alone], faults })
    }
    for (let at = plan.faults.length - 1; at >= 0; at -= 1)
      await smaller({ ...plan, faults: plan.faults.filter((_, index) => index !== at) })
    return { plan, outcome }
  }
}

interface StoryLine {
  readonly text: string
  readonly isFault: boolean
}

/** These lines of a story, with a word about each gap between them. */
function told(lines: readonly StoryLine[], kept: ReadonlySet<number>): readonly string[] {
  const texts: string[] = []
  let gap = 0
  for (const [at, { text }] of lines.entries()) {
    gap = kept.has(at) ? 0 : gap + 1
    if (gap > 1) texts.pop()
    texts.push(gap === 0 ? text : `(${gap} more)`)
  }
  return texts
}

/** At most nine lines: what went wrong first of all, then what came last. */
function shortened(lines: readonly StoryLine[]): readonly string[] {
  const kept = new Set(lines.keys())
  if (kept.size < STORY_LINES_MAX) return told(lines, kept)
  kept.clear()
  const fromTheEnd = [...lines.keys()].reverse()
  const isFault = (at: number): boolean => lines[at]?.isFault === true
  for (const at of [...fromTheEnd.filter(isFault), ...fromTheEnd]) {
    if (told(lines, new Set([...kept, at])).length < STORY_LINES_MAX) kept.add(at)
  }
  return told(lines, kept)
}

/**
 * What happened to one saga, and what went wrong at others: a crash at a step of theirs is a crash
 * of all. The line that says what broke comes on top of it.
 */
function storyOf({ world, broken }: Outcome): readonly string[] {
  const saga = broken?.saga ?? 0
  return shortened(world.story.filter((line) => saga === 0 || line.saga === saga || line.isFault))
}

function failureText(definition: SagaDefinition, plan: Plan, outcome: Outcome): string {
  const { broken } = outcome
  const story = storyOf(outcome).map((line, index) => `  ${index + 1}. ${line}`)
  const end = `  => ${broken?.promise ?? ''}`
  return [
    `${definition.name} broken at SEED=${plan.seed}, saga ${broken?.saga ?? 0}:`,
    ...story,
    end,
  ].join('\n')
}

/** Begins a simulation of a saga: `simulate(placeOrder, { services, input }).always(invariant)`. */
export function simulate<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  options: SimulateOptions<Input>,
): Simulation {
  return {
    async always(invariant) {
      const { seeds = 25, from = 1, box } = options
      const campaign = new Campaign(saga, options, invariant)
      const faults = Object.fromEntries(faultClasses.map((kind) => [kind, 0])) as Record<
        FaultClass,
        number
      >
      const outcomes = { completed: 0, compensated: 0, parked: 0, stuck: 0 }
      const total = { seeds: 0, sagas: 0, commits: 0, prevented: 0 }
      const endMs = box === undefined ? Number.POSITIVE_INFINITY : box.nowMs() + box.ms
      for (let seed = from; seed < from + seeds; seed += 1) {
        if (box !== undefined && box.nowMs() > endMs) break
        const plan = campaign.planOf(seed)
        const outcome = await campaign.run(plan)
        if (outcome.broken !== undefined) {
          const small = await campaign.shrink(plan, outcome)
          throw new Error(failureText(saga, small.plan, small.outcome))
        }
        total.seeds += 1
        total.sagas += outcome.ends.length
        total.commits += outcome.world.commits
        total.prevented += outcome.world.ledger.prevented
        for (const [kind, count] of outcome.world.reached) faults[kind] += count
        for (const end of outcome.ends) outcomes[end.outcome] += 1
      }
      return { ...total, faults, outcomes }
    },
  }
}

/** One world with just these faults, for tests that go through all of them. */
export async function runFaults<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  options: SimulateOptions<Input>,
  { seed, faults }: { readonly seed: number; readonly faults: readonly Fault[] },
): Promise<readonly SimulatedEnd[]> {
  const campaign = new Campaign(saga, options, () => true)
  const plan: Plan = { ...campaign.planOf(seed), faults }
  const outcome = await campaign.run(plan)
  if (outcome.broken !== undefined) throw new Error(failureText(saga, plan, outcome))
  return outcome.ends
}
