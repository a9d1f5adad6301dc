/**
 * Where requests enter: one session per channel, one table from code to handler. A request that
 * makes its handler throw is a bug of ours or a failed log; it is answered, and the session lives.
 */
import { AssertionError, type Channel } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { Call, type Core } from './core.js'
import { brokerStatus } from './requests/broker-status.js'
import { clusterInfo } from './requests/cluster-info.js'
import { commit } from './requests/commit.js'
import { createTopic } from './requests/create-topic.js'
import { deleteTopic } from './requests/delete-topic.js'
import { describeGroup } from './requests/describe-group.js'
import { describeRetention } from './requests/describe-retention.js'
import { describeTopic } from './requests/describe-topic.js'
import { endTransaction } from './requests/end-transaction.js'
import { groupMembers } from './requests/group-members.js'
import { farewell, heartbeat } from './requests/heartbeat.js'
import { leaseQueues, notify } from './requests/lease-queues.js'
import { listGroups } from './requests/list-groups.js'
import { listHalves } from './requests/list-halves.js'
import { listStreams } from './requests/list-streams.js'
import { listTimers } from './requests/list-timers.js'
import { listTopics } from './requests/list-topics.js'
import { lockQueues } from './requests/lock-queues.js'
import { maxOffset } from './requests/max-offset.js'
import { minOffset } from './requests/min-offset.js'
import { pullMessage } from './requests/pull-message.js'
import { queryConsumerOffset } from './requests/query-consumer-offset.js'
import { readEvents } from './requests/read-events.js'
import { readStream } from './requests/read-stream.js'
import { resetOffset } from './requests/reset-offset.js'
import { searchOffset } from './requests/search-offset.js'
import { sendBack } from './requests/send-back.js'
import { sendBatch } from './requests/send-batch.js'
import { sendMessage } from './requests/send-message.js'
import { topicRoute } from './requests/topic-route.js'
import { unlockQueues } from './requests/unlock-queues.js'
import { unregister } from './requests/unregister.js'
import { updateConsumerOffset } from './requests/update-consumer-offset.js'
import { viewMessage } from './requests/view-message.js'

type Handler = (call: Call, command: protocol.Command) => void

function handler<Req, Res>(
  codec: protocol.RequestCodec<Req, Res>,
  handle: (call: Call, request: Req) => void,
): [number, Handler] {
  return [codec.code, (call, command) => handle(call, protocol.requestPayload(codec, command))]
}

const HANDLERS: ReadonlyMap<number, Handler> = new Map([
  handler(protocol.sendMessage, sendMessage),
  handler(protocol.pullMessage, pullMessage),
  handler(protocol.commit, commit),
  handler(protocol.endTransaction, endTransaction),
  handler(protocol.leaseQueues, leaseQueues),
  handler(protocol.readStream, readStream),
  handler(protocol.readEvents, readEvents),
  handler(protocol.listHalves, listHalves),
  handler(protocol.listStreams, listStreams),
  handler(protocol.listTopics, listTopics),
  handler(protocol.listTimers, listTimers),
  handler(protocol.describeRetention, describeRetention),
  handler(protocol.describeTopic, describeTopic),
  handler(protocol.deleteTopic, deleteTopic),
  handler(protocol.listGroups, listGroups),
  handler(protocol.describeGroup, describeGroup),
  handler(protocol.createTopic, createTopic),
  handler(protocol.topicRoute, topicRoute),
  handler(protocol.clusterInfo, clusterInfo),
  handler(protocol.heartbeat, heartbeat),
  handler(protocol.unregister, unregister),
  handler(protocol.brokerStatus, brokerStatus),
  handler(protocol.groupMembers, groupMembers),
  handler(protocol.lockQueues, lockQueues),
  handler(protocol.maxOffset, maxOffset),
  handler(protocol.minOffset, minOffset),
  handler(protocol.queryConsumerOffset, queryConsumerOffset),
  handler(protocol.resetOffset, resetOffset),
  handler(protocol.searchOffset, searchOffset),
  handler(protocol.sendBack, sendBack),
  handler(protocol.sendBatch, sendBatch),
  handler(protocol.unlockQueues, unlockQueues),
  handler(protocol.updateConsumerOffset, updateConsumerOffset),
  handler(protocol.viewMessage, viewMessage),
])

/** Serves a channel until it closes. */
export function serve(core: Core, channel: Channel<protocol.Command>, onClosed: () => void): void {
  const session = core.members.open(channel)
  channel.onClose(() => {
    onClosed()
    for (const group of core.members.close(session)) notify(core, group, undefined)
    farewell(core, core.assigned.close(session))
  })
  channel.onItem((command) => {
    core.settings.hops.reach('broker.receive')
    if (protocol.isResponse(command)) return
    receive(new Call(core, session, command))
  })
}

function receive(call: Call): void {
  const { command, core } = call
  const handle = HANDLERS.get(command.code)
  if (handle === undefined) {
    const remark = ` request type ${command.code} not supported`
    call.refuse({ code: protocol.ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark })
    return
  }
  if (core.log.failure !== undefined) {
    const remark = 'service not available now: the log has failed'
    const refusal = { code: protocol.ResponseCode.SERVICE_NOT_AVAILABLE, remark }
    // It tells nothing of the log, and no watermark moves any more.
    call.refuse(refusal, core.log.watermark(core.settings.durability))
    return
  }
  try {
    handle(call, command)
  } catch (error) {
    // A broken invariant must not be served on; it goes up to whoever runs the process.
    if (error instanceof AssertionError || !(error instanceof Error)) throw error
    call.refuse({ code: protocol.ResponseCode.SYSTEM_ERROR, remark: error.message })
  }
}
