import { type Disk } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import { expect, test } from 'vitest'
import { type Book, BookError, openBook } from '../src/book.js'

const directory = '/book'
const path = `${directory}/intake.book`

function world(seed = 1) {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random: random.fork('disk') })
  const attach = (): Disk => disk.attach(time.nodeClock())
  /** Lets the simulation run until `work` is done. */
  async function run<A>(work: Promise<A>): Promise<A> {
    let isDone = false
    const mark = (): void => {
      isDone = true
    }
    work.then(mark, mark)
    await time.run({ untilMs: time.nowMs() + 60_000, isDone: () => isDone })
    return work
  }
  const open = (): Promise<Book> => run(openBook({ disk: attach(), directory }))
  return { disk, run, open }
}

const entry = (order: number): { order: number; half: string } => ({ order, half: `HALF${order}` })

test('entries that are added together share a sync and are there after a power loss', async () => {
  const { disk, run, open } = world()
  const book = await open()
  await run(Promise.all([book.add(entry(1)), book.add(entry(2)), book.add(entry(3))]))
  expect(book.syncs).toBe(1)
  await run(book.add(entry(4)))
  disk.crash()
  const again = await open()
  expect(again.entries).toEqual([1, 2, 3, 4].map(entry))
  expect(again.cutBytes).toBe(0)
  expect(again.halfOf(3)).toBe('HALF3')
  expect(again.halfOf(5)).toBeUndefined()
})

test('a last line that is torn anywhere is cut, and the book goes on behind it', async () => {
  const { disk, run, open } = world()
  const book = await open()
  await run(book.add(entry(1)))
  const whole = disk.contents(path)?.length ?? 0
  await run(Promise.all([book.add(entry(2)), book.add(entry(3))]))
  await run(book.close())
  const bytes = disk.contents(path) ?? Buffer.alloc(0)
  expect(bytes.length).toBeGreaterThan(whole)
  for (let end = whole; end < bytes.length; end += 1) {
    disk.putFile(path, bytes.subarray(0, end))
    const torn = await open()
    expect(torn.entries).toEqual([entry(1)])
    expect(torn.cutBytes).toBe(end - whole)
    expect(disk.contents(path)?.length).toBe(whole)
    await run(torn.add(entry(9)))
    await run(torn.close())
    const after = await open()
    expect(after.entries).toEqual([entry(1), entry(9)])
    await run(after.close())
  }
})

test('a last line whose middle is lost is cut too', async () => {
  const { disk, run, open } = world()
  const book = await open()
  await run(book.add(entry(1)))
  const whole = disk.contents(path)?.length ?? 0
  await run(book.add(entry(2)))
  await run(book.close())
  const bytes = disk.contents(path) ?? Buffer.alloc(0)
  bytes.fill(0, whole, whole + 6)
  disk.putFile(path, bytes)
  expect((await open()).entries).toEqual([entry(1)])
})

test('an earlier line that is damaged is named, not cut', async () => {
  const { disk, run, open } = world()
  const book = await open()
  await run(book.add(entry(1)))
  await run(book.add(entry(2)))
  await run(book.close())
  disk.flipBit(path, 3)
  const opened = await open().catch((thrown: unknown) => thrown)
  expect(BookError.is(opened) ? opened.code : opened).toBe('DAMAGED')
  expect(String(opened)).toContain('line 1')
})

test('after a failed sync nothing is taken any more', async () => {
  const { disk, run, open } = world()
  const book = await open()
  await run(book.add(entry(1)))
  disk.failNextSync()
  const results = await run(Promise.allSettled([book.add(entry(2)), book.add(entry(3))]))
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(run(book.add(entry(4)))).rejects.toThrow(/FAILED/)
  expect(book.entries).toEqual([entry(1)])
})
