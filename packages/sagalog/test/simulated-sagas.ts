/** Sagas of several shapes for the simulation: local and remote steps, side by side, in loops. */
import { topic } from '@sagalog/client'
import { irreversible, remote, remoteForward, saga } from '@sagalog/saga'
import * as O from 'fp-ts/lib/Option.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

export const Input = t.type({ n: t.number, isGift: t.boolean }, 'Input')
export const input = (n: number): t.TypeOf<typeof Input> => ({ n, isGift: n % 2 === 0 })

const retry = { times: 3, firstMs: 10, maxMs: 40 }
const nothing = () => TE.right(undefined)
const local = (result: string) => ({
  out: t.string,
  retry,
  timeoutMs: () => 500,
  run: () => TE.right(result),
  undo: nothing,
})

const forward = (result: string) => {
  const { out, run } = local(result)
  return { out, retry, run }
}
/** Only forward, for what comes after a pivot. */
const parcel = saga('parcel', 1, t.type({ n: t.number }))
  .then('pack', forward('packed'))
  .end()

/** All in the runtime's process. */
export const localSaga = saga('local', 1, Input)
  .step('hold', local('held'))
  .when('wrap', (c) => c.input.isGift, local('wrapped'))
  .forEach('pick', (c) => [c.input.n, c.input.n + 1], local('picked'))
  .pivot('take', { out: t.string, retry, run: (c) => TE.right(`${c.hold}!`) })
  .then('note', { out: t.string, retry, run: (c) => TE.right(c.take) })
  .all((step) => ({ mail: step(forward('sent')), bill: step(forward('billed')) }))
  .when('card', (c) => c.input.isGift, forward('written'))
  .forEach('ship', (c) => c.pick, forward('shipped'))
  .child('parcel', parcel, (c) => ({ n: c.input.n }))
  .end()

const Command = t.type({ n: t.number, undo: t.boolean }, 'Command')
const commands = (name: string) => topic(name, Command, { queues: 2 })
const ask = (name: string) =>
  remote({
    to: commands(name),
    out: t.string,
    refusal: t.type({ tag: t.string, details: t.unknown }),
    run: (c: { readonly input: t.TypeOf<typeof Input> }) => ({ n: c.input.n, undo: false }),
    undo: (c, done) => ({ n: O.isSome(done) ? c.input.n : 0, undo: true }),
    timeoutMs: () => 1_000,
  })

const served = (name: string) =>
  saga(name, 1, Input)
    .step('stock', ask('stock-commands'))
    .all((step) => ({
      hotel: step(ask('hotel-commands')),
      flight: step(ask('flight-commands')),
    }))
    .pivot(
      'capture',
      remoteForward({
        to: commands('bank-commands'),
        out: t.string,
        refusal: t.type({ tag: t.string, details: t.unknown }),
        run: (c: { readonly input: t.TypeOf<typeof Input> }) => ({ n: c.input.n, undo: false }),
        timeoutMs: () => 1_000,
        retry: { times: 50 },
      }),
    )

/** All by services, two of them side by side. */
export const servedSaga = served('served').end()

/** The same, and a step of the runtime's own behind it. */
export const remoteSaga = served('remote')
  .then('mail', { out: t.string, retry: { times: 50, maxMs: 100 }, run: () => TE.right('sent') })
  .end()

const child = saga('part', 1, t.type({ n: t.number }))
  .step('part', local('parted'))
  .end()

/** With a lock, a limit, a signal and a child. */
export const waitingSaga = saga('waiting', 1, Input)
  .lock('account', () => 'one')
  .signal('approve', { codec: t.boolean })
  .step('pay', { ...local('paid'), limit: { name: 'bank', concurrency: 1, perSecond: 50 } })
  .child('sub', child, (c) => ({ n: c.input.n }))
  .step('send', { ...local('sent'), undo: irreversible('a letter cannot be called back') })
  .end()

export const services = {
  hold: () => 'held',
  wrap: () => 'wrapped',
  pick: () => 'picked',
  take: () => 'taken',
  note: () => 'noted',
  bill: () => 'billed',
  card: () => 'written',
  ship: () => 'shipped',
  pack: () => 'packed',
  stock: () => 'reserved',
  hotel: () => 'booked',
  flight: () => 'booked',
  capture: () => 'captured',
  mail: () => 'sent',
  pay: () => 'paid',
  part: () => 'parted',
  send: () => 'sent',
}
