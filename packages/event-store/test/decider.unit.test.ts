/** Deciders and their examples as specifications. */
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { fold } from '../src/decider.js'
import { differenceOf, given, SpecificationError } from '../src/specification.js'
import { Account, Accounts, deposit, open, withdraw } from './accounts.js'

const { Opened, Deposited, Withdrawn } = Accounts.make
const opened = Opened({ owner: 'ann' })

function thrown(work: () => void): SpecificationError {
  try {
    work()
  } catch (error) {
    if (error instanceof SpecificationError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('a decider', () => {
  it('folds events into a state', () => {
    const events = [opened, Deposited({ cents: 5 }), Withdrawn({ cents: 2 })]
    expect(fold(Account, events)).toEqual({ owner: 'ann', cents: 3 })
    expect(fold(Account, [Withdrawn({ cents: 1 })], { owner: 'bo', cents: 2 }).cents).toBe(1)
  })

  it('reads and writes its commands', () => {
    const { commands } = Account
    expect(commands.decode(commands.encode(deposit(3)))).toEqual(E.right(deposit(3)))
    expect(commands.is(deposit(3))).toBe(true)
    const wrong: unknown[] = [
      { type: 'Deposit', data: {} },
      { type: 'toString', data: {} },
      { type: 'Close' },
      null,
    ]
    for (const input of wrong) {
      expect(E.isLeft(commands.decode(input))).toBe(true)
      expect(commands.is(input)).toBe(false)
    }
  })

  it('stops at an event or a command that its set does not have', () => {
    const lost = { type: 'Lost', data: {} } as unknown as typeof opened
    expect(() => fold(Account, [lost])).toThrow('no event Lost')
    const strange = { type: 'toString', data: {} } as unknown as typeof open
    expect(() => Account.decide(strange, { owner: 'ann', cents: 0 })).toThrow('no command toString')
  })
})

describe('a specification', () => {
  it('passes when it holds', () => {
    const five = Deposited({ cents: 5 })
    const missing = { _tag: 'TooLittle', missing: 2 } as const
    expect(() => {
      given(Account).when(open).then(opened)
      given(Account, opened).when(open).rejectedWith({ _tag: 'AlreadyOpen' })
      given(Account, opened).when(deposit(0)).nothing()
      given(Account, opened, five).when(withdraw(7)).rejectedWith(missing)
    }).not.toThrow()
  })

  it('shows other events line by line', () => {
    const error = thrown(() =>
      given(Account, opened)
        .when(deposit(4))
        .then(Deposited({ cents: 5 })),
    )
    expect(error.message).toContain('Other events followed.')
    expect(error.message).toContain('-       cents: 5')
    expect(error.message).toContain('+       cents: 4')
    expect(error.message).toContain("      type: 'Deposited'")
    expect(error.expected).toEqual([Deposited({ cents: 5 })])
    expect(error.actual).toEqual([Deposited({ cents: 4 })])
  })

  it('fails when a command is taken or rejected against its word', () => {
    const taken = thrown(() => given(Account).when(open).rejectedWith({ _tag: 'AlreadyOpen' }))
    expect(taken.message).toContain('The command was taken.')
    const rejected = thrown(() =>
      given(Account)
        .when(deposit(1))
        .then(Deposited({ cents: 1 })),
    )
    expect(rejected.message).toContain('The command was rejected.')
    const nothing = thrown(() => given(Account).when(open).nothing())
    expect(nothing.message).toContain('Other events followed.')
    const other = thrown(() =>
      given(Account, opened).when(withdraw(3)).rejectedWith({ _tag: 'TooLittle', missing: 2 }),
    )
    expect(other.message).toContain('another reason')
  })

  it('keeps common lines once', () => {
    expect(differenceOf(['a', 'b', 'c'], ['a', 'x', 'c']).split('\n')).toEqual([
      '  [',
      "    'a',",
      "-   'b',",
      "+   'x',",
      "    'c'",
      '  ]',
    ])
  })
})
