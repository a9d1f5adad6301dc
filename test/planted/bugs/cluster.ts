/** Bugs of our client on a cluster of Apache's brokers, each caught by one of its tests. */
import type { NamedBug } from '../planted-bug.js'

const CLUSTER = 'packages/client/src/rocketmq/'
const unit = 'packages/client/test/cluster-sending.unit.test.ts'
const property = 'packages/client/test/cluster-sending.property.test.ts'

export const clusterBugs: readonly NamedBug[] = [
  {
    name: 'keys-do-not-wait',
    promise: 'lets a message of a key go only when the one before it has its answer',
    file: `${CLUSTER}send-retry.ts`,
    find: 'cluster.keyOrder.inTurn(topic, key, () => untilStored(cluster, send))',
    replace: 'untilStored(cluster, send)',
    test: unit,
  },
  {
    name: 'refusal-hides-a-lost-try',
    promise: 'says the truth of every message, and keeps keys in order',
    file: `${CLUSTER}send-retry.ts`,
    find: 'if (!isUnknown && reply !== undefined) {',
    replace: 'if (reply !== undefined) {',
    test: property,
  },
  {
    name: 'key-sent-twice',
    promise: 'says the truth of every message, and keeps keys in order',
    file: `${CLUSTER}send-retry.ts`,
    find: '(keyOf(send) === undefined && !isHalf(send.request))',
    replace: '!isHalf(send.request)',
    test: property,
  },
  {
    name: 'queue-of-the-first-broker',
    promise: 'numbers the queues of all brokers by name and id, and sends to them in turn',
    file: `${CLUSTER}send-target.ts`,
    find: "address: routes.addressOf(brokerName) ?? ''",
    replace: "address: route.brokers[0]?.brokerAddress ?? ''",
    test: unit,
  },
  {
    name: 'decision-asked-twice',
    promise:
      'has an unknown outcome when the reply to its decision gets lost, and asks nobody twice',
    file: `${CLUSTER}requests/end-transaction.ts`,
    find: 'if (!ClientError.is(thrown) || !isAway(thrown)) throw thrown',
    replace: 'throw thrown',
    test: unit,
  },
]
