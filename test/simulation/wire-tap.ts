/** Listens on an instance's channel: the grants that it was given, and the commits that it sent. */
import type { Channel, Commit } from '@sagalog/kernel'
import {
  type Command,
  commit,
  isResponse,
  leaseQueues,
  type LeaseQueuesResponse,
  ResponseCode,
} from '@sagalog/protocol'
import type { Life, Recorder } from './history.js'

/** The handler's run that an event carries in its metadata. */
export const RUN = 'run'

export function tappedChannel(
  inner: Channel<Command>,
  life: Life,
  recorder: Recorder,
): Channel<Command> {
  const asked = new Set<number>()
  return {
    remote: inner.remote,
    send(command) {
      if (!isResponse(command)) {
        if (command.code === leaseQueues.code) asked.add(command.opaque)
        if (command.code === commit.code) recordCommit(command.payload as Commit, life, recorder)
      }
      return inner.send(command)
    },
    onItem(receive) {
      inner.onItem((command) => {
        if (isResponse(command) && asked.delete(command.opaque))
          recordGrants(command, life, recorder)
        receive(command)
      })
    },
    onClose: (listener) => inner.onClose(listener),
    close: (reason) => inner.close(reason),
  }
}

function recordCommit(payload: Commit, life: Life, recorder: Recorder): void {
  const runs: string[] = []
  for (const append of payload.appends) {
    for (const event of append.events) {
      const run = event.metadata?.[RUN]
      if (typeof run === 'string') runs.push(run)
    }
  }
  const leases = payload.leases.map(({ epoch, queueId, topic }) => ({ topic, queueId, epoch }))
  recorder.record({ kind: 'commit-sent', ...life, leases, runs })
}

function recordGrants(command: Command, life: Life, recorder: Recorder): void {
  if (command.code !== ResponseCode.SUCCESS) return
  const { grants } = command.payload as LeaseQueuesResponse
  if (grants.length > 0) recorder.record({ kind: 'granted', ...life, grants })
}
