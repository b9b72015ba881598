/// An error of the world outside the program: of a file, a setting, a number.
///
/// Mistakes in a program that uses the library trap instead.
public struct RigLError: Error, Hashable, Sendable {
  /// The kind of an error; its raw value is the exit status a command line returns for it.
  public enum Kind: Int32, Sendable {
    /// A configuration or an argument that cannot be used (`EX_USAGE`).
    case configuration = 64
    /// A file whose contents are damaged or not what they should be (`EX_DATAERR`).
    case data = 65
    /// A file or folder that is not there or cannot be read (`EX_NOINPUT`).
    case missingFile = 66
    /// A loss, gradient or weight that is not a number (`EX_SOFTWARE`).
    case numerical = 70
    /// Memory that the system does not give (`EX_OSERR`).
    case memory = 71
    /// A write that failed: no space, no permission (`EX_IOERR`).
    case write = 74
  }

  /// Which kind of error it is.
  public let kind: Kind
  /// The message: what is wrong and where, with a path and position, a key, or a layer and step.
  public let what: String
  /// The advice: what to do, where anything sensible can be said; nil: none.
  public let hint: String?

  /// Creates an error; control characters of names in it are escaped.
  public init(_ kind: Kind, _ what: String, hint: String? = nil) {
    self.kind = kind
    self.what = what.printable()
    self.hint = hint?.printable(keepsLines: true)
  }
}

extension RigLError: CustomStringConvertible {
  /// The message, and the advice on a second line.
  public var description: String {
    hint.map { "\(what)\n  \($0)" } ?? what
  }
}
