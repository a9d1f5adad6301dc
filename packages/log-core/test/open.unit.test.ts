/** What a person meets who opens a log where none can be. On the machine's own disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeClock } from '@sagalog/kernel/node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogError, openLog } from '../src/index.js'
import { nodeDisk } from '../src/node/index.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sagalog-open-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function refusalOf(directory: string): Promise<unknown> {
  try {
    const log = await openLog({ disk: nodeDisk(), clock: nodeClock(), directory })
    await log.close()
    return 'opened'
  } catch (error) {
    return LogError.is(error) ? { code: error.code, message: error.message } : error
  }
}

test('a file where the directory should be is named, and so is what to do', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, 'something')
  const message = expect.stringContaining(`${file} is there already`) as unknown
  expect(await refusalOf(file)).toEqual({ code: 'DIRECTORY_UNUSABLE', message })
})

test.runIf(process.platform === 'linux')(
  'a place that takes no directory does not hang',
  async () => {
    expect(await refusalOf('/proc/sagalog')).toMatchObject({ code: 'DIRECTORY_UNUSABLE' })
  },
)

test('a second opener in the same process is told who has it', async () => {
  const log = await openLog({ disk: nodeDisk(), clock: nodeClock(), directory: folder })
  const message = expect.stringContaining(`process ${process.pid}`) as unknown
  expect(await refusalOf(folder)).toEqual({ code: 'LOCKED', message })
  await log.close()
  expect(await refusalOf(folder)).toBe('opened')
})
