/**
 * Small scope, all of it: sagas of one to five steps, and in each world one crash at one step or at
 * one undo, before or after its effect, of each process, or one message doubled, delayed or lost.
 */
import { topic } from '@sagalog/client'
import { remote, saga, type Saga } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { type Fault, faultText, runFaults } from 'sagalog/testing'
import { describe, expect, it } from 'vitest'

const isFull = process.env['SAGALOG_FULL'] === '1'
/** The plain run goes as far as small failures need; the full one as far as is promised. */
const STEPS_MAX = isFull ? 5 : 2
const NAMES = ['a', 'b', 'c', 'd', 'e'] as const

type Where = 'local' | 'remote'
type Builder = { step(name: string, step: unknown): Builder; end(): Saga<number, unknown, unknown> }

const Command = t.type({ n: t.number }, 'Command')

const stepOf = (where: Where, name: string): unknown =>
  where === 'local'
    ? {
        out: t.string,
        retry: { times: 3, firstMs: 10 },
        timeoutMs: () => 300,
        run: () => TE.right(name),
        undo: () => TE.right(undefined),
      }
    : remote({
        to: topic(`commands-${name}`, Command, { queues: 1 }),
        out: t.string,
        refusal: t.unknown,
        run: () => ({ n: 1 }),
        undo: () => ({ n: -1 }),
        timeoutMs: () => 1_000,
      })

/** All steps can be undone, so that each undo can be reached. */
function chain(where: Where, length: number): Saga<number, unknown, unknown> {
  let builder = saga(`chain-${where}-${length}`, 1, t.number) as unknown as Builder
  for (const name of NAMES.slice(0, length)) builder = builder.step(name, stepOf(where, name))
  return builder.end()
}

const faultAt = (step: string, over: Partial<Fault>): Fault => ({
  kind: 'crash',
  saga: 1,
  step,
  action: 'run',
  who: 'runtime',
  isAfter: false,
  ...over,
})

/** Everything that can go wrong at one step, or at its undo. */
function faultsAt(step: string, action: Fault['action']): readonly Fault[] {
  const crashes = (['runtime', 'services', 'broker'] as const).flatMap((who) =>
    [false, true].map((isAfter) => faultAt(step, { action, who, isAfter })),
  )
  const kinds = (['duplicate', 'reorder', 'clock-jump'] as const).map((kind) =>
    faultAt(step, { action, kind }),
  )
  const lost = (['ambiguous', 'late'] as const).map((kind) => faultAt(step, { kind }))
  return [...crashes, ...kinds, ...(action === 'run' ? lost : [])]
}

/** A message that goes wrong while something else has crashed. */
const isOfMessages = ({ kind }: Fault): boolean => kind !== 'crash' && kind !== 'clock-jump'

const services = Object.fromEntries(NAMES.map((name) => [name, () => name]))

/** Tries worlds of one saga of this chain, and keeps how they ended. */
function tries(where: Where, length: number) {
  const definition = chain(where, length)
  const ends = new Set<string>()
  let worlds = 0
  const tryOne = async (faults: readonly Fault[]): Promise<void> => {
    worlds += 1
    const options = { services, input: () => 1, sagas: 1 }
    const [end] = await runFaults(definition, options, { seed: worlds, faults })
    ends.add(end?.outcome ?? 'none')
    expect(end?.outcome, faults.map(faultText).join('; ')).not.toBe('parked')
  }
  return { tryOne, ends, worlds: () => worlds }
}

describe.each(['local', 'remote'] as const)('a chain of %s steps', (where) => {
  for (let length = 1; length <= STEPS_MAX; length += 1)
    it(`of ${length}: whatever goes wrong at one of them, it ends as it must`, async () => {
      const names = NAMES.slice(0, length)
      const last = names.at(-1) ?? 'a'
      const { tryOne, ends, worlds } = tries(where, length)
      const refused = faultAt(last, { kind: 'refuse' })
      for (const name of names) {
        for (const fault of faultsAt(name, 'run')) {
          await tryOne([fault])
          if (name !== last) await tryOne([fault, refused])
        }
        if (name !== last)
          for (const fault of faultsAt(name, 'undo')) await tryOne([fault, refused])
      }
      expect([...ends].toSorted()).toEqual(['compensated', 'completed'])
      expect(worlds()).toBeGreaterThanOrEqual(11 * length)
    }, 240_000)

  it.runIf(isFull)(
    'of 2: whatever crashes anywhere, with a message doubled, late or lost elsewhere',
    async () => {
      const { tryOne, ends, worlds } = tries(where, 2)
      const runs = ['a', 'b'].flatMap((name) => faultsAt(name, 'run'))
      const all = [...runs, ...faultsAt('a', 'undo')]
      const refused = faultAt('b', { kind: 'refuse' })
      for (const crash of all.filter(({ kind }) => kind === 'crash'))
        for (const message of all.filter(isOfMessages)) {
          const isUndone = [crash, message].some(({ action }) => action === 'undo')
          await tryOne(isUndone ? [crash, message, refused] : [crash, message])
        }
      expect([...ends].toSorted()).toEqual(['compensated', 'completed'])
      expect(worlds()).toBe(18 * 10)
    },
    240_000,
  )
})
