import { ClientError } from '@sagalog/client'
import { DiskError } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import { expect, test } from 'vitest'
import { BookError } from '../src/book.js'
import { errorText } from '../src/error-text.js'

const path = '/run/intake/intake.book'

test('shows the innermost cause and the advice nearest to it', () => {
  const full = new DiskError('FULL', { path })
  const book = new BookError('FAILED', { path }, { cause: full })
  const detail = { id: '7F00', reason: String(book) }
  const text = errorText(new ClientError('HANDLER_FAILED', detail, { cause: book }))
  expect(text).toContain('the local step of 7F00 failed')
  expect(text).toContain(`Cause: no space left for ${path}`)
  expect(text).toContain(full.advice)
  expect(text).not.toMatch(/^\s+at /m)
})

test('says a cause once', () => {
  const cause = new Error('the disk is gone')
  const detail = { file: 'a.seg', reason: cause.message }
  const text = errorText(new LogError('FLUSH_FAILED', detail, { cause }))
  expect(text.match(/the disk is gone/g)).toHaveLength(1)
  expect(text).not.toContain('Cause:')
})

test('an error of the operating system is a sentence too, a mistake of ours keeps its stack', () => {
  const code = { code: 'ENOSPC', syscall: 'write' }
  const failed = Object.assign(new Error('ENOSPC: no space left on device, write'), code)
  expect(errorText(failed)).toMatch(/^ENOSPC: no space left on device, write\nLook at the disk/)
  expect(errorText(new TypeError('x is not a function'))).toMatch(/^\s+at /m)
})
