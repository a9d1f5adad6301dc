/**
 * How many entries of a fold go to each topic, and each topic's name as one text: entries by the
 * million share it.
 */
export class TopicCounts {
  private readonly counts = new Map<string, { readonly topic: string; count: number }>()

  of(topic: string): number {
    return this.counts.get(topic)?.count ?? 0
  }

  *topics(): Generator<string, void> {
    yield* this.counts.keys()
  }

  /** Counts one more; gives the text that all of them share. */
  add(topic: string): string {
    const known = this.counts.get(topic)
    if (known === undefined) {
      this.counts.set(topic, { topic, count: 1 })
      return topic
    }
    known.count += 1
    return known.topic
  }

  remove(topic: string): void {
    const known = this.counts.get(topic)
    if (known === undefined) return
    known.count -= 1
    if (known.count === 0) this.counts.delete(topic)
  }

  clear(): void {
    this.counts.clear()
  }
}
