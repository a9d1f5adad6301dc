/**
 * What every Disk must do, as tests: one suite for the real disk and the simulated one.
 */
import type { Disk, DiskFile } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'

export interface DiskUnderTest {
  readonly disk: Disk
  /** A directory that is there and empty. */
  readonly directory: string
  /** Lets the disk's own time pass until the promise has settled. */
  readonly drive: <T>(promise: Promise<T>) => Promise<T>
  readonly dispose: () => Promise<void>
}

async function withDisk(
  make: () => Promise<DiskUnderTest>,
  body: (test: DiskUnderTest) => Promise<void>,
): Promise<void> {
  const test = await make()
  try {
    await test.drive(body(test))
  } finally {
    await test.dispose()
  }
}

async function writeAll(file: DiskFile, text: string, at: number): Promise<void> {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done), at + done)
  }
}

async function readAll(file: DiskFile): Promise<string> {
  const bytes = Buffer.alloc(await file.size())
  for (let done = 0; done < bytes.length;) {
    const got = await file.read(bytes.subarray(done), done)
    expect(got).toBeGreaterThan(0)
    done += got
  }
  return bytes.toString()
}

/** Declares the suite for the disk that `make` gives. */
export function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`${name} is a Disk`, () => {
    filesContract(make)
    accountContract(make)
    directoryContract(make)
  })
}

function filesContract(make: () => Promise<DiskUnderTest>): void {
  it('reads back what was written, also over a gap, and 0 at the end', () =>
    withDisk(make, async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/a`, { access: 'create', sync: 'on-demand' })
      await writeAll(file, 'one', 0)
      await writeAll(file, 'two', 5)
      await file.sync()
      expect(await readAll(file)).toBe('one\0\0two')
      expect(await file.read(Buffer.alloc(4), 8)).toBe(0)
      await file.truncate(3)
      expect(await readAll(file)).toBe('one')
      await file.close()
      const again = await disk.open(`${directory}/a`, { access: 'read', sync: 'on-demand' })
      expect(await readAll(again)).toBe('one')
      await again.close()
    }))

  it('creates only what is new and opens only what is there', () =>
    withDisk(make, async ({ disk, directory }) => {
      const options = { access: 'create', sync: 'each-write' } as const
      const file = await disk.open(`${directory}/a`, options)
      await file.close()
      await expect(disk.open(`${directory}/a`, options)).rejects.toMatchObject({ code: 'EXISTS' })
      for (const access of ['read', 'write'] as const) {
        const missing = disk.open(`${directory}/b`, { access, sync: 'on-demand' })
        await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' })
      }
    }))
}

function accountContract(make: () => Promise<DiskUnderTest>): void {
  it('counts what is written and what is durable from completed calls', () =>
    withDisk(make, async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/a`, { access: 'create', sync: 'on-demand' })
      await file.prepare(1000)
      expect([file.writtenEnd, file.syncedEnd, await file.size()]).toEqual([0, 0, 1000])
      await writeAll(file, 'behind a gap', 100)
      expect(file.writtenEnd).toBe(0)
      await writeAll(file, 'x'.repeat(100), 0)
      expect([file.writtenEnd, file.syncedEnd]).toEqual([112, 0])
      await file.sync()
      expect([file.writtenEnd, file.syncedEnd]).toEqual([112, 112])
      await file.close()
    }))

  it('each-write: durable as soon as it is written', () =>
    withDisk(make, async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/a`, { access: 'create', sync: 'each-write' })
      const writing = writeAll(file, 'abc', 0)
      expect(file.syncedEnd).toBe(0)
      await writing
      expect([file.writtenEnd, file.syncedEnd]).toEqual([3, 3])
      await file.close()
      const again = await disk.open(`${directory}/a`, { access: 'write', sync: 'each-write' })
      expect([again.writtenEnd, again.syncedEnd]).toEqual([0, 0])
      await again.adopt(3)
      expect([again.writtenEnd, again.syncedEnd]).toEqual([3, 3])
      await again.close()
    }))
}

function directoryContract(make: () => Promise<DiskUnderTest>): void {
  it('lists names sorted, renames over, removes', () =>
    withDisk(make, async ({ disk, directory }) => {
      for (const name of ['c', 'a', 'b']) {
        const options = { access: 'create', sync: 'on-demand' } as const
        const file = await disk.open(`${directory}/${name}`, options)
        await writeAll(file, name, 0)
        await file.close()
      }
      expect(await disk.list(directory)).toEqual(['a', 'b', 'c'])
      await disk.rename(`${directory}/c`, `${directory}/a`)
      await disk.remove(`${directory}/b`)
      await disk.syncDirectory(directory)
      expect(await disk.list(directory)).toEqual(['a'])
      const file = await disk.open(`${directory}/a`, { access: 'read', sync: 'on-demand' })
      expect(await readAll(file)).toBe('c')
      await file.close()
      const missing = disk.remove(`${directory}/b`)
      await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }))

  it('makes directories with their parents, also when they are there', () =>
    withDisk(make, async ({ disk, directory }) => {
      await disk.makeDirectory(`${directory}/x/y`)
      await disk.makeDirectory(`${directory}/x/y`)
      expect(await disk.list(`${directory}/x/y`)).toEqual([])
      await expect(disk.list(`${directory}/z`)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }))

  it('gives a directory to one owner at a time', () =>
    withDisk(make, async ({ disk, directory }) => {
      const lock = await disk.lock(directory)
      await expect(disk.lock(directory)).rejects.toMatchObject({ code: 'IN_USE' })
      await lock.release()
      const again = await disk.lock(directory)
      await again.release()
    }))
}
