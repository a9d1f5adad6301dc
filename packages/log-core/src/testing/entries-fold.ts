/**
 * A fold of small facts by key, for tests and measures of what must not depend on their number:
 * saving, loading and restating. Each fact is a record of kind `place`: its key, `|`, its value.
 */
import { bytesDraft, type Draft, type Fold, type LogRecord, position } from '@sagalog/kernel'
import { SavedMap } from '../saved-map.js'

export class EntriesFold implements Fold {
  readonly name = 'entries'
  readonly kinds = ['place'] as const
  readonly entries = new SavedMap<string, string, Draft>((value, key) => {
    this.taken += 1
    return EntriesFold.draft(key, value)
  })
  /** Entries taken by saves and restatements, and loaded or evolved. */
  taken = 0
  given = 0

  static draft(key: string, value: string): Draft {
    return bytesDraft('place', Buffer.from(`${key}|${value}`, 'latin1'))
  }

  evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.entries.clear()
    else if (record.kind === 'place')
      this.set(record.source.toString('latin1', record.start, record.end))
  }

  restate(): Iterable<Draft> {
    return this.entries.live()
  }

  needs(): undefined {
    return undefined
  }

  needsBody(): boolean {
    return false
  }

  save(): Iterator<Buffer> {
    const slices = this.entries.save()
    return {
      next: () => {
        const { done, value } = slices.next()
        if (done === true) return { done, value: undefined }
        return { done: false, value: chunkOf(value) }
      },
      return: () => {
        slices.return()
        return { done: true, value: undefined }
      },
    }
  }

  load(chunk: Buffer): void {
    for (const line of chunk.toString('latin1').split('\n')) if (line !== '') this.set(line)
  }

  private set(text: string): void {
    this.given += 1
    const [key = '', value = ''] = text.split('|')
    this.entries.set(key, value)
  }
}

function chunkOf(drafts: readonly Draft[]): Buffer {
  const chunk = Buffer.alloc(
    drafts.reduce((bytes, draft) => bytes + draft.bytes + 1, 0),
    '\n',
  )
  let at = 0
  for (const draft of drafts) {
    draft.encodeAt(chunk, at, position(0))
    at += draft.bytes + 1
  }
  return chunk
}
