// Mistakes of a program that uses the library end it with a sentence, in release builds too: there
// the standard library's `precondition` keeps its condition, but loses its message. What data or
// files can cause is a `RigLError` instead.

/// Ends the process, with a sentence that says what is wrong, unless a condition holds that only a
/// mistake in the program can break.
///
/// Where it holds, this is a comparison and a branch: the sentence is put together out of line.
@inline(__always)
package func trap(
  unless condition: Bool, _ sentence: @autoclosure () -> String,
  file: StaticString = #fileID, line: UInt = #line
) {
  if !condition { trap(sentence(), file: file, line: line) }
}

/// Ends the process with a sentence that says which mistake in the program led here.
@inline(never)
package func trap(
  _ sentence: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) -> Never {
  fatalError(sentence(), file: file, line: line)
}
