#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// The closure that a new thread runs, on its way to it.
private final class ThreadBody {
  let run: @Sendable () -> Void

  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a thread of its own for a body; nobody waits for it. (Foundation's threads do not say when
/// they could not start.)
///
/// - Returns: 0, or the system's number of what kept it from starting.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Int32 {
  var attributes = pthread_attr_t()
  var status = unsafe pthread_attr_init(&attributes)
  guard status == 0 else { return status }
  defer { unsafe pthread_attr_destroy(&attributes) }
  status = unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  guard status == 0 else { return status }
  let argument = unsafe Unmanaged.passRetained(ThreadBody(body))
  #if canImport(Darwin)
    var thread: pthread_t?
    status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
  #else
    var thread = pthread_t()
    status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
  #endif
  if status != 0 { unsafe argument.release() }
  return status
}
