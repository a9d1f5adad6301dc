/**
 * What a person reads when something went wrong: a sentence, the innermost cause when the sentence
 * does not hold it already, and what to do. Only what nobody foresaw keeps its stack.
 */
import { isSagalogError } from '@sagalog/kernel'

const DISK_ADVICE = 'Look at the disk and at the permissions of the path, then start again.'

/** Every error from the outermost to the one that began it. */
function chainOf(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at: unknown = thrown; at !== undefined && at !== null;) {
    if (chain.includes(at)) break
    chain.push(at)
    at = at instanceof Error ? at.cause : undefined
  }
  return chain
}

/** The message without the code in front of it. */
function sentenceOf(thrown: unknown): string {
  if (isSagalogError(thrown)) return thrown.message.replace(/^\w+: /, '')
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Failures of the operating system have the call that failed with them. */
function isSystemError(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown && 'code' in thrown
}

/** The text for a terminal, without a newline at the end. */
export function errorText(thrown: unknown): string {
  const chain = chainOf(thrown)
  const known = chain.filter((error) => isSagalogError(error) || isSystemError(error))
  if (known[0] !== thrown) {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  }
  const sentence = sentenceOf(thrown)
  const cause = sentenceOf(chain.at(-1))
  const lines = [sentence]
  if (!sentence.includes(cause)) lines.push(`Cause: ${cause}`)
  // Nearest to the cause is the advice that concerns it.
  const advising = chain.filter((error) => isSagalogError(error)).at(-1)
  lines.push(isSagalogError(advising) ? advising.advice : DISK_ADVICE)
  return lines.join('\n')
}
