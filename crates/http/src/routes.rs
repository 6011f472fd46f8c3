//! Routes, each with what it is: none can be added without a description of what it takes and answers.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};

use crate::{description::Operation, router::Shared};

/// Says what a route is. A function and not the thing itself, so that nothing of it is in memory until somebody asks.
pub(crate) type Says = fn() -> Operation;

/// Routes with their descriptions.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Shared>,
    listed: Listed,
}

/// What is said of routes, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Listed {
    /// What programs ask: method, path, description.
    pub(crate) operations: Vec<(&'static str, &'static str, Says)>,
    /// What people look at: path and title.
    pub(crate) pages: Vec<(&'static str, &'static str)>,
}

/// Adds routes of one method.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident),+) => { $(
        $(#[$doc])*
        pub(crate) fn $name<H, T>(self, path: &'static str, handler: H, says: Says) -> Self
        where
            H: Handler<T, Shared>,
            T: 'static,
        {
            self.operation(stringify!($name), path, on(MethodFilter::$method, handler), says)
        }
    )+ };
}

impl Routes {
    methods!(
        /// Adds what is read, by `GET` and `HEAD`.
        get GET,
        /// Adds what is done.
        post POST,
        /// Adds what is set as a whole.
        put PUT,
        /// Adds what is changed in part.
        patch PATCH,
        /// Adds what is ended.
        delete DELETE
    );

    /// Adds a page for people, with all its methods: it has a title, and describes itself to whoever looks at it.
    pub(crate) fn page(mut self, path: &'static str, title: &'static str, handlers: MethodRouter<Shared>) -> Self {
        self.listed.pages.push((path, title));
        self.file(path, handlers)
    }

    /// Adds what pages and programs fetch along the way, which nobody looks for: style sheets, the description itself.
    pub(crate) fn file(mut self, path: &'static str, handlers: MethodRouter<Shared>) -> Self {
        self.router = self.router.route(path, handlers);
        self
    }

    /// Adds what another file knows.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.router = self.router.merge(more.router);
        self.listed.operations.extend(more.listed.operations);
        self.listed.pages.extend(more.listed.pages);
        self
    }

    /// The routes themselves.
    pub(crate) fn into_router(self) -> Router<Shared> {
        self.router
    }

    /// What is said of them.
    pub(crate) fn into_list(self) -> Listed {
        self.listed
    }

    fn operation(
        mut self,
        method: &'static str,
        path: &'static str,
        handler: MethodRouter<Shared>,
        says: Says,
    ) -> Self {
        self.listed.operations.push((method, path, says));
        self.router = self.router.route(path, handler);
        self
    }
}
