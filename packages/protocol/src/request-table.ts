/** Every request there is, by code. The command channel reads and writes nothing else. */
import type { RequestCodec } from './request-codec.js'
import { brokerStatus } from './requests/broker-status.js'
import { checkTransaction } from './requests/check-transaction.js'
import { clientPlaces } from './requests/client-places.js'
import { clusterInfo } from './requests/cluster-info.js'
import { commit } from './requests/commit.js'
import { createTopic } from './requests/create-topic.js'
import { deleteTopic } from './requests/delete-topic.js'
import { describeGroup } from './requests/describe-group.js'
import { describeTopic } from './requests/describe-topic.js'
import { endTransaction } from './requests/end-transaction.js'
import { groupMembers } from './requests/group-members.js'
import { heartbeat } from './requests/heartbeat.js'
import { leaseQueues } from './requests/lease-queues.js'
import { listGroups } from './requests/list-groups.js'
import { listHalves } from './requests/list-halves.js'
import { listStreams } from './requests/list-streams.js'
import { describeRetention } from './requests/describe-retention.js'
import { listTimers } from './requests/list-timers.js'
import { listTopics } from './requests/list-topics.js'
import { lockQueues } from './requests/lock-queues.js'
import { maxOffset } from './requests/max-offset.js'
import { minOffset } from './requests/min-offset.js'
import { notifyMembers } from './requests/notify-members.js'
import { pullMessage } from './requests/pull-message.js'
import { queryConsumerOffset } from './requests/query-consumer-offset.js'
import { readEvents } from './requests/read-events.js'
import { readStream } from './requests/read-stream.js'
import { resetClientOffset } from './requests/reset-client-offset.js'
import { resetOffset } from './requests/reset-offset.js'
import { runningInfo } from './requests/running-info.js'
import { searchOffset } from './requests/search-offset.js'
import { sendBack } from './requests/send-back.js'
import { sendBatch } from './requests/send-batch.js'
import { sendMessage } from './requests/send-message.js'
import { topicRoute } from './requests/topic-route.js'
import { unlockQueues } from './requests/unlock-queues.js'
import { unregister } from './requests/unregister.js'
import { updateConsumerOffset } from './requests/update-consumer-offset.js'
import { viewMessage } from './requests/view-message.js'

/** A codec whose payload types are found by its code only. */
export type AnyCodec = RequestCodec<unknown, unknown>

export const requestCodecs: readonly AnyCodec[] = [
  sendMessage,
  pullMessage,
  createTopic,
  heartbeat,
  unregister,
  endTransaction,
  checkTransaction,
  notifyMembers,
  topicRoute,
  clusterInfo,
  groupMembers,
  lockQueues,
  maxOffset,
  minOffset,
  queryConsumerOffset,
  resetOffset,
  resetClientOffset,
  clientPlaces,
  runningInfo,
  searchOffset,
  sendBack,
  sendBatch,
  unlockQueues,
  updateConsumerOffset,
  viewMessage,
  leaseQueues,
  commit,
  readStream,
  readEvents,
  listHalves,
  listStreams,
  listTopics,
  listTimers,
  describeRetention,
  describeTopic,
  deleteTopic,
  listGroups,
  describeGroup,
  brokerStatus,
] as readonly AnyCodec[]

const byCode = new Map<number, AnyCodec>()
for (const codec of requestCodecs) {
  byCode.set(codec.code, codec)
  if (codec.alsoCode !== undefined) byCode.set(codec.alsoCode, codec)
}

/** The codec of a request code, or undefined when the request is not supported. */
export function codecOf(code: number): AnyCodec | undefined {
  return byCode.get(code)
}
