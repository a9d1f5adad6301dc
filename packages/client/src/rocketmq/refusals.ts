/** What a cluster of Apache's brokers can not do, and what to do instead. */
import { RequestCode } from '@sagalog/protocol'
import { ClientError } from '../errors.js'

const OWN_BROKER = 'it needs a Sagalog broker (npx sagalog start, or Sagalog.open)'

const INSTEAD: ReadonlyMap<number | string, string> = new Map<number | string, string>([
  ['a topic of events', `${OWN_BROKER}; a topic of messages can be made here`],
  ['a lookup by position alone', "a position is one broker's: give the offset id of the send"],
  [
    'an acknowledgement without a pull',
    'RocketMQ keeps one offset of a queue: read it with a consumer, and let its handler return',
  ],
  [
    'more than acknowledgements',
    'RocketMQ has no commit of several things: send with a producer inside the handler, which is done at least once',
  ],
  [
    RequestCode.SAGALOG_LIST_HALVES,
    "Apache's brokers drop undecided halves after their last check",
  ],
])

/** The error for `what`: a request code's work, or one of the words above. */
export function unsupported(what: string, code?: number): ClientError {
  const instead = INSTEAD.get(code ?? what) ?? OWN_BROKER
  return new ClientError('UNSUPPORTED', { request: what, instead })
}
