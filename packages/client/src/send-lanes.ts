/** The sends that have not ended, by topic and key, in the order in which they were made. */
import type { OutgoingMessage } from '@sagalog/kernel'
import type { NumberedSend } from '@sagalog/protocol'

export type Keyed = Pick<OutgoingMessage, 'topic' | 'shardingKey'>

export class SendLanes {
  readonly #lanes = new Map<string, NumberedSend[]>()

  /** The sends of the message's key, this one among them as the last; undefined without a key. */
  enter({ shardingKey, topic }: Keyed, send: NumberedSend): NumberedSend[] | undefined {
    if (shardingKey === undefined) return undefined
    const name = `${topic}\u0000${shardingKey}`
    const lane = this.#lanes.get(name) ?? []
    if (lane.length === 0) this.#lanes.set(name, lane)
    lane.push(send)
    return lane
  }

  leave({ shardingKey, topic }: Keyed, send: NumberedSend): void {
    if (shardingKey === undefined) return
    const name = `${topic}\u0000${shardingKey}`
    const lane = this.#lanes.get(name)
    if (lane === undefined) return
    lane.splice(lane.indexOf(send), 1)
    if (lane.length === 0) this.#lanes.delete(name)
  }
}
