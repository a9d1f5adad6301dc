/**
 * What the compiler refuses. Each refused line stands under `@ts-expect-error`: tsc is the test.
 */
import { type ContextOf, type RefusalOf, remote, remoteForward, saga } from '@sagalog/saga'
import type * as O from 'fp-ts/lib/Option.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { Charged, Declined, OrderInput, OutOfStock, PaymentCommands, Reserved } from './orders.js'
import { type placeOrder, StockCommands } from './orders.js'

const reserve = {
  out: Reserved,
  run: () => TE.right({ left: 1 }),
  undo: () => TE.right(undefined),
}
const start = () => saga('s', 1, OrderInput)

describe('the types of a saga', () => {
  it('gives each step the input and the results before it', () => {
    expectTypeOf<ContextOf<typeof placeOrder>['payment']>().toEqualTypeOf<
      t.TypeOf<typeof Charged>
    >()
    expectTypeOf<RefusalOf<typeof placeOrder>>().toEqualTypeOf<
      t.TypeOf<typeof OutOfStock> | t.TypeOf<typeof Declined>
    >()
    const built = start()
      .step('stock', {
        out: Reserved,
        run: (c, m) => {
          expectTypeOf(c.input).toEqualTypeOf<OrderInput>()
          expectTypeOf(m.key).toEqualTypeOf<string>()
          return TE.left({ tag: 'out-of-stock' as const })
        },
        undo: (c, done) => {
          expectTypeOf(done).toEqualTypeOf<O.Option<t.TypeOf<typeof Reserved>>>()
          expectTypeOf(c.input.cents).toEqualTypeOf<number>()
          return TE.right(undefined)
        },
      })
      .pivot('capture', {
        out: t.string,
        run: (c) => (c.stock.left > 0 ? TE.right('ref') : TE.left('no' as const)),
      })
      .then('mail', {
        out: t.void,
        run: (c) => (c.capture === '' ? TE.right(undefined) : TE.right(undefined)),
      })
      .then(
        'ship',
        remoteForward({
          to: StockCommands,
          out: t.void,
          run: (c) => ({ order: c.stock.left, action: 'reserve' }),
          timeoutMs: (c) => c.capture.length,
        }),
      )
      .end()
    expect(built.steps.map(({ name, phase }) => `${phase} ${name}`)).toEqual([
      'step stock',
      'pivot capture',
      'then mail',
      'then ship',
    ])
    expectTypeOf<RefusalOf<typeof built>>().toEqualTypeOf<{ tag: 'out-of-stock' } | 'no'>()
  })

  it('refuses a step before the pivot without undo', () => {
    // @ts-expect-error Property 'undo' is missing
    start().step('a', { out: t.string, run: () => TE.right('x') })
    start().step(
      'a',
      // @ts-expect-error Property 'undo' is missing
      remote({
        to: StockCommands,
        out: Reserved,
        refusal: OutOfStock,
        run: () => ({ order: 1, action: 'reserve' }),
      }),
    )
    start().step(
      'a',
      // @ts-expect-error a forward step has no undo
      remoteForward({
        to: StockCommands,
        out: Reserved,
        run: () => ({ order: 1, action: 'reserve' }),
      }),
    )
  })

  it('refuses an undo that can be refused', () => {
    // @ts-expect-error 'string' is not assignable to 'never'
    start().step('a', { ...reserve, undo: () => TE.left('no') })
  })

  it('refuses a refusal after the pivot', () => {
    // @ts-expect-error 'string' is not assignable to 'never'
    start().then('a', { out: t.string, run: () => TE.left('no') })
    start().then(
      'a',
      // @ts-expect-error a refusal after the pivot
      remoteForward({
        to: StockCommands,
        out: Reserved,
        refusal: OutOfStock,
        run: () => ({ order: 1, action: 'reserve' }),
      }),
    )
  })

  it('refuses a step with undo after the pivot', () => {
    const tail = start().pivot('p', { out: t.string, run: () => TE.right('x') })
    // @ts-expect-error Property 'step' does not exist
    expect(() => tail.step('a', reserve)).not.toThrow()
    // @ts-expect-error Property 'pivot' does not exist
    expect(() => tail.pivot('q', { out: t.string, run: () => TE.right('x') })).not.toThrow()
  })

  it('refuses a name that is taken', () => {
    // @ts-expect-error the name 'a' is taken
    expect(() => start().step('a', reserve).step('a', reserve).end()).toThrow('used once')
    // @ts-expect-error the name 'input' is taken
    start().step('input', reserve)
  })

  it('refuses to read a later result', () => {
    start()
      // @ts-expect-error Property 'later' does not exist
      .step('a', { ...reserve, run: (c) => TE.right({ left: Number(c.later) }) })
      .step('later', reserve)
  })

  it('refuses a result or a command that does not fit', () => {
    // @ts-expect-error 'number' is not assignable to 'string'
    start().then('a', { out: t.string, run: () => TE.right(1) })
    start().step(
      'a',
      remote({
        to: PaymentCommands,
        out: Charged,
        refusal: Declined,
        // @ts-expect-error a command of another topic
        run: () => ({ order: 1, action: 'reserve' }),
        undo: (c) => ({ order: c.input.order, cents: 0, receipt: null }),
      }),
    )
  })
})
