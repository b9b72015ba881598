/// The version of this package, which the command line prints.
public let packageVersion = "0.1.0"
