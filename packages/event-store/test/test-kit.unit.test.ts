/** The kit finds what is wrong with a decider, makes values of any codec, and lets zod's kin in. */
import * as E from 'fp-ts/lib/Either.js'
import * as fc from 'fast-check'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { decider } from '../src/decider.js'
import { defineEvents } from '../src/event-set.js'
import { fromStandardSchema, type StandardSchema } from '../src/standard-schema.js'
import { arbitraryOf } from '../src/testing/arbitrary-of.js'
import { modelTest } from '../src/testing/model-test.js'
import { Account } from './accounts.js'

const Balance = t.type({ owner: t.union([t.string, t.undefined]), cents: t.number })

describe('modelTest', () => {
  it('passes a sound decider, its snapshots too', async () => {
    await modelTest(Account, { seed: 1, snapshots: { version: 1, codec: Balance } })
  })

  const Counted = defineEvents('counted', { Added: t.type({ by: t.number, to: t.string }) })
  const { Added } = Counted.make
  const counter = (step: (sum: number, by: number) => number) =>
    decider(Counted, 0)
      .evolve({ Added: (sum, { by }) => step(sum, by) })
      .decide(
        { Add: t.type({ by: t.number }) },
        { Add: ({ by }) => E.right(by === 0 ? [] : [Added({ by, to: 'sum' })]) },
      )

  it('finds an evolve that throws', async () => {
    const failing = counter((sum, by) => {
      if (by > 1_000) throw new Error('too much at once')
      return sum + by
    })
    const failure: unknown = await modelTest(failing, { seed: 1 }).catch(
      (thrown: unknown) => thrown,
    )
    expect(String((failure as Error).cause)).toContain('too much at once')
    expect(String(failure)).toContain('seed: 1')
  })

  it('finds a snapshot that forgets', async () => {
    const codec = new t.Type<number, unknown>(
      'rounded',
      t.number.is,
      (input, context) => t.number.validate(input, context),
      (value) => Math.round(value / 10) * 10,
    )
    const sums = counter((sum, by) => sum + Math.trunc(by))
    const snapshots = { version: 1, codec }
    await expect(modelTest(sums, { seed: 1, snapshots })).rejects.toThrow('Property failed')
  })

  it('finds a payload that is not read back', async () => {
    const lossy = new t.Type<string, unknown>(
      'lossy',
      t.string.is,
      (input, context) => t.string.validate(input, context),
      (value) => value.slice(0, 3),
    )
    const Named = defineEvents('named', { Named: t.type({ name: lossy }) })
    const naming = decider(Named, '')
      .evolve({ Named: (_, { name }) => name })
      .decide(
        { Name: t.type({ name: t.string }) },
        { Name: ({ name }) => E.right([Named.make.Named({ name })]) },
      )
    const custom = new Map<t.Mixed, fc.Arbitrary<unknown>>([[lossy, fc.string()]])
    await expect(modelTest(naming, { seed: 1, custom })).rejects.toThrow('Property failed')
  })
})

describe('arbitraryOf', () => {
  interface Tree {
    name: string
    children: Tree[]
  }
  const Tree: t.Type<Tree, unknown> = t.recursion('Tree', () =>
    t.type({ name: t.string, children: t.array(Tree) }),
  )
  const Positive = t.refinement(t.number, (value) => value > 0, 'Positive')
  const codecs: readonly (readonly [string, t.Mixed])[] = [
    ['type', t.type({ a: t.string, b: t.number, c: t.boolean, d: t.null })],
    ['partial', t.partial({ a: t.string })],
    ['union', t.union([t.literal('x'), t.literal(7), t.keyof({ y: null, z: null })])],
    ['intersection', t.intersection([t.type({ a: t.string }), t.partial({ b: t.number })])],
    ['tuple', t.tuple([t.string, Positive])],
    ['record', t.record(t.string, t.array(t.number))],
    ['exact', t.exact(t.type({ a: t.readonlyArray(t.string) }))],
    ['readonly', t.readonly(t.type({ a: t.unknown }))],
    [
      'optional tree',
      t.union([
        t.undefined,
        t.recursion(
          'List',
          (self: t.Type<unknown>): t.Type<unknown> =>
            t.union([t.null, t.type({ head: t.number, tail: self })]) as unknown as t.Type<unknown>,
        ),
      ]),
    ],
  ]
  it.each(codecs)('gives values of %s', (_, codec) => {
    fc.assert(
      fc.property(arbitraryOf(fc, codec as t.Type<unknown, unknown>), (value) => {
        const text = JSON.stringify(codec.encode(value)) as string | undefined
        const stored: unknown = text === undefined ? undefined : JSON.parse(text)
        return codec.is(value) && E.isRight(codec.decode(stored))
      }),
      { numRuns: 50, seed: 2 },
    )
  })

  it('says which codec it cannot look into', () => {
    const custom = new t.Type<string, unknown>('Mine', t.string.is, t.string.validate, t.identity)
    expect(() => arbitraryOf(fc, t.type({ a: custom }))).toThrow('the codec Mine')
    expect(() => arbitraryOf(fc, Tree)).toThrow('Tree')
  })
})

describe('a Standard Schema', () => {
  const Cents: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'mine',
      validate: (value) =>
        typeof value === 'number' && value >= 0
          ? { value }
          : { issues: [{ message: 'no amount', path: ['money', { key: 'cents' }] }] },
    },
  }

  it('reads and writes events, and reports what is wrong with them', () => {
    const Paid = defineEvents('paid', { Paid: fromStandardSchema(Cents) })
    const draft = Paid.encode(Paid.make.Paid(5))
    expect(draft.data.toString()).toBe('5')
    const stored = { version: 1 as never, type: 'Paid', schema: 1, data: Buffer.from('-5') }
    expect(Paid.decode('s', { ...stored, data: draft.data })).toEqual(
      E.right({ type: 'Paid', data: 5 }),
    )
    expect(Paid.decode('s', stored)).toMatchObject({ left: { reason: 'money.cents: no amount' } })
    expect(() => Paid.encode(Paid.make.Paid(-5))).toThrow('does not fit its codec')
  })

  it('that answers later is refused, not waited for', () => {
    const later: StandardSchema<string> = {
      '~standard': { version: 1, vendor: 'slow', validate: async () => ({ value: 'x' }) },
    }
    const read = fromStandardSchema(later).decode('x')
    expect(E.isLeft(read) && read.left[0]?.message).toContain('asynchronous')
  })
})
