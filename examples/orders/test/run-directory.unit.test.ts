import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appendPrinted, cutPrinted, readPrinted } from '../src/printed-node.js'
import { readRun, removeRun, type RunRecord, writeRun } from '../src/run-directory-node.js'

const record: RunRecord = {
  version: 1,
  filePath: '/orders.txt',
  fileHash: 'ab',
  orders: 3,
  durability: 'sync',
  isFinished: true,
  isRemoved: undefined,
  kills: undefined,
  work: undefined,
}
let path = ''

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'sagalog-run-'))
  writeRun(path, record)
})
afterEach(() => rmSync(path, { recursive: true, force: true }))

test('a record is read as it was written', () => {
  expect(readRun(path)).toEqual(record)
})

test('a removed run leaves what others put there', () => {
  mkdirSync(join(path, 'log'))
  writeFileSync(join(path, 'notes.txt'), 'mine')
  removeRun(path, record)
  expect(readdirSync(path)).toEqual(['notes.txt'])
})

test('a removal that was cut short is known as such', () => {
  mkdirSync(join(path, 'log'))
  writeRun(path, { ...record, isRemoved: true })
  const found = readRun(path)
  expect(found?.isRemoved).toBe(true)
  if (found !== undefined) removeRun(path, found)
  expect(readdirSync(path)).toEqual([])
})

test('a printed line that was cut short is gone before the next one is kept', () => {
  const printed = join(path, 'printed.txt')
  cutPrinted(printed)
  appendPrinted(printed, ['placed 1', 'ended 1 completed'])
  writeFileSync(printed, 'ended 2 comp', { flag: 'a' })
  cutPrinted(printed)
  appendPrinted(printed, ['placed 3'])
  expect(readPrinted(printed)).toEqual(['placed 1', 'ended 1 completed', 'placed 3'])
})
