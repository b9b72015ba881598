/// The version of this package, which the command line prints.
package let packageVersion = "0.1.0"
