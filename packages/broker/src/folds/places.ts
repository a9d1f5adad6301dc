/**
 * Where each group stands in each queue: a watermark, and the settled offsets above it, because
 * concurrent handlers finish out of order.
 * Invariant: no settled offset is below or at the watermark; the watermark itself is unsettled.
 */
import { assert, type LogRecord, type QueueOffset } from '@sagalog/kernel'
import { placeDraft, type PlaceFact, readAck, readPlace } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

export interface Place {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  watermark: QueueOffset
  readonly settled: Set<QueueOffset>
}

const keyOf = (group: string, topic: string, queueId: number): string =>
  `${group}\u0000${topic}\u0000${queueId}`

export class PlacesFold extends FactFold {
  override readonly name = 'places'
  override readonly kinds = ['place', 'ack'] as const
  private readonly places = this.table<string, Place>((place) => placeDraft(factOf(place)))
  private readonly groups = new Set<string>()
  /** Told of offsets that a place left behind; set once the broker lives. */
  onSettled: (placeGroup: string, topic: string, count: number) => void = () => undefined

  get(group: string, topic: string, queueId: number): Place | undefined {
    return this.places.get(keyOf(group, topic, queueId))
  }

  /** True when the group stands in any queue. */
  holds(group: string): boolean {
    return this.groups.has(group)
  }

  /** Groups, and instances of broadcasting ones, that stand anywhere. */
  get groupCount(): number {
    return this.groups.size
  }

  all(): Iterable<Place> {
    return this.places.values()
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') {
      this.places.clear()
      this.groups.clear()
    } else if (record.kind === 'place') this.set(readPlace(record))
    else if (record.kind === 'ack') this.settle(record)
  }

  private set(fact: PlaceFact): void {
    this.groups.add(fact.group)
    const before = this.get(fact.group, fact.topic, fact.queueId)?.watermark
    const ahead = before === undefined ? 0 : fact.watermark - before
    if (ahead > 0) this.onSettled(fact.group, fact.topic, ahead)
    this.places.set(keyOf(fact.group, fact.topic, fact.queueId), {
      group: fact.group,
      topic: fact.topic,
      queueId: fact.queueId,
      watermark: fact.watermark,
      settled: new Set(fact.settled),
    })
  }

  private settle(record: LogRecord): void {
    const fact = readAck(record)
    const place = this.get(fact.group, fact.topic, fact.queueId)
    // Unknown in a rebuild between the marks: the restated place, which follows, holds it already.
    if (place === undefined) return
    this.places.changing(keyOf(fact.group, fact.topic, fact.queueId))
    for (const offset of fact.offsets) {
      assert(!isSettled(place, offset), 'an offset is settled once')
      // The next in order, as most are, needs no entry.
      if (offset === place.watermark) place.watermark = (offset + 1) as QueueOffset
      else place.settled.add(offset)
    }
    this.onSettled(fact.group, fact.topic, fact.offsets.length)
    while (place.settled.delete(place.watermark)) {
      place.watermark = (place.watermark + 1) as QueueOffset
    }
  }
}

export function isSettled(place: Place, offset: QueueOffset): boolean {
  return offset < place.watermark || place.settled.has(offset)
}

export function factOf(place: Place): PlaceFact {
  const settled = [...place.settled].sort((left, right) => left - right)
  return { ...place, settled }
}
