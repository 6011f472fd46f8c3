//! A document of one page, as small as a PDF can be.
//!
//! Source: ISO 32000-1, 7.5 "File structure": a header, objects, a table of their places, and where that table is.

use std::fmt::Write as _;

use axum::response::{IntoResponse as _, Response};
use http::header;

/// A page with these lines of text. What is not printable ASCII is shown as a question mark: the font has no more.
pub(super) fn document(lines: &[String]) -> Response {
    ([(header::CONTENT_TYPE, "application/pdf")], write(lines)).into_response()
}

fn write(lines: &[String]) -> String {
    let mut text = String::from("BT /F1 12 Tf 16 TL 72 770 Td");
    for line in lines {
        // Writing to a text cannot fail.
        let _ = write!(text, " ({}) Tj T*", escape(line));
    }
    text.push_str(" ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut places = String::new();
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(places, "{:010} 00000 n ", file.len());
        let _ = writeln!(file, "{} 0 obj\n{object}\nendobj", index + 1);
    }
    let (table, count) = (file.len(), objects.len() + 1);
    let _ = write!(
        file,
        "xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    );
    file
}

fn escape(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    for letter in line.chars() {
        match letter {
            '(' | ')' | '\\' => safe.extend(['\\', letter]),
            ' '..='~' => safe.push(letter),
            _ => safe.push('?'),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_where_the_table_says() {
        let file = write(&["Invoice (1)".into(), "Söhne \\ 5.00 USD".into()]);
        assert!(file.starts_with("%PDF-1.4\n") && file.ends_with("%%EOF\n"));
        assert!(file.contains(r"(Invoice \(1\)) Tj") && file.contains(r"(S?hne \\ 5.00 USD) Tj"), "{file}");
        let table: usize = file.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(file[table..].starts_with("xref\n0 5\n"));
        for (index, line) in file[table..].lines().skip(3).take(4).enumerate() {
            let place: usize = line[..10].parse().unwrap();
            assert!(file[place..].starts_with(&format!("{} 0 obj\n", index + 1)), "{line}");
            assert_eq!(line.len(), 19, "with its line end an entry has 20 bytes");
        }
    }
}
