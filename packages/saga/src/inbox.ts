/**
 * What a saga hears: the messages of its inbox, as data. Payloads stand here as their codecs
 * encoded them; they are decoded where a step is known. Everything that changes a saga comes
 * through here, in the order of one queue.
 */
import * as t from 'io-ts'
import { Probe } from './gate-messages.js'

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

/** The saga whose step a child is. */
export const ParentRef = t.type(
  { inbox: t.string, sagaId: t.string, step: t.string, shardingKey: t.string },
  'ParentRef',
)
export type ParentRef = t.TypeOf<typeof ParentRef>

const optional = <A>(codec: t.Type<A, unknown>) => t.union([codec, t.undefined])

export const InboxMessage = t.union(
  [
    t.type({
      kind: t.literal('start'),
      sagaId: t.string,
      input: t.unknown,
      lane: optional(LanePlace),
      parent: optional(ParentRef),
    }),
    t.type({ kind: t.literal('done'), sagaId: t.string, step: t.string, result: t.unknown }),
    t.type({ kind: t.literal('refused'), sagaId: t.string, step: t.string, refusal: t.unknown }),
    t.type({ kind: t.literal('undone'), sagaId: t.string, step: t.string }),
    t.type({
      kind: t.literal('timeout'),
      sagaId: t.string,
      step: t.string,
      attempt: t.number,
      action: optional(t.literal('undo')),
    }),
    // The saga tells itself to go on with local steps, once what came before them is durable.
    t.type({
      kind: t.literal('continue'),
      sagaId: t.string,
      step: t.string,
      attempt: optional(t.number),
      // Others that go on at the same time.
      more: optional(t.array(t.string)),
    }),
    // A limit lets the step begin.
    t.type({ kind: t.literal('granted'), sagaId: t.string, step: t.string, attempt: t.number }),
    t.type({ kind: t.literal('signal'), sagaId: t.string, signal: t.string, value: t.unknown }),
    t.type({ kind: t.literal('deadline'), sagaId: t.string }),
    t.type({ kind: t.literal('cancel'), sagaId: t.string, reason: t.string }),
    // It holds, or may hold, what the asker of a probe waits for.
    t.type({ kind: t.literal('blocking'), sagaId: t.string, probe: Probe }),
    // The parent of a child saga is compensated.
    t.type({ kind: t.literal('revoke'), sagaId: t.string }),
    t.type({
      kind: t.literal('operator'),
      sagaId: t.string,
      /** 'retry' tries again what waits, 'skip' takes it as over, 'resolve' gives its result. */
      action: t.union([t.literal('retry'), t.literal('skip'), t.literal('resolve')]),
      step: optional(t.string),
      result: t.unknown,
      by: t.string,
    }),
  ],
  'InboxMessage',
)
export type InboxMessage = t.TypeOf<typeof InboxMessage>
