import Foundation

/// A value that a program sets at its start, from any thread.
final class Registered<Value: Sendable>: @unchecked Sendable {
  // Safe to share: only what holds the lock touches the value. Not a Mutex: the thread sanitizer does
  // not see through its futex.
  private let lock = NSLock()
  private var stored: Value

  init(_ value: Value) { stored = value }

  /// The value as it is now.
  var value: Value { lock.withLock { stored } }

  /// Changes the value.
  func change(_ body: (inout Value) -> Void) { lock.withLock { body(&stored) } }
}
