/**
 * What a saga hears: the messages of its inbox, as data. Payloads stand here as their codecs
 * encoded them; they are decoded where a step is known. Everything that changes a saga comes
 * through here, in the order of one queue.
 */
import * as t from 'io-ts'

const isPlace = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1

const Place = new t.Type<number, number>(
  'Place',
  isPlace,
  (value, context) => (isPlace(value) ? t.success(value) : t.failure(value, context)),
  t.identity,
)

/** A saga's place in a line of sagas that run one after another. */
export const LanePlace = t.type({ key: t.string, place: Place }, 'LanePlace')
export type LanePlace = t.TypeOf<typeof LanePlace>

export const InboxMessage = t.union(
  [
    t.type({
      kind: t.literal('start'),
      sagaId: t.string,
      input: t.unknown,
      lane: t.union([LanePlace, t.undefined]),
    }),
    t.type({ kind: t.literal('done'), sagaId: t.string, step: t.string, result: t.unknown }),
    t.type({ kind: t.literal('refused'), sagaId: t.string, step: t.string, refusal: t.unknown }),
    t.type({ kind: t.literal('undone'), sagaId: t.string, step: t.string }),
    t.type({ kind: t.literal('timeout'), sagaId: t.string, step: t.string, attempt: t.number }),
    // The saga tells itself to go on with a local step, once what came before it is durable.
    t.type({ kind: t.literal('continue'), sagaId: t.string, step: t.string }),
  ],
  'InboxMessage',
)
export type InboxMessage = t.TypeOf<typeof InboxMessage>
