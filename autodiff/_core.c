/* The eager engine in C: what value.py and backward.py compute, to the last bit. They say what, and why; read them first.

A node keeps its numbers as C doubles, and Python's collector does not walk over it unless it can be part of a cycle.
Whatever is not the usual case (edges of domains, tracing, `no_grad`, arrays, subclasses, messages) is handed, with the
same operands, to the Python that stands beside this. The C library's functions are those that Python's `math` calls, in
the same order; hence the compiler may not contract a product and a sum into one operation.

`adopt` makes the type `Value`, native.py gives it what it has of the Python class. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <structmember.h>

#ifdef Py_GIL_DISABLED
#error "a sweep marks nodes, which needs the global interpreter lock: free-threaded Python has the pure package"
#endif

#define SUM_COMPENSATES (PY_VERSION_HEX >= 0x030C0000) /* since then `sum` keeps what rounding loses, after Neumaier */

typedef struct { Py_ssize_t n; double at[]; } Array;
typedef union { double number; PyObject *object; Array *array; } Content;
enum { UNSWEPT, NUMBER, OBJECT, ARRAY }; /* the kind of a content; the first is a grad that no sweep has reached */

/* Node of backward.py. `op` is NULL for a leaf; `db` is an array for the partials of any number of operands. */
typedef struct {
    PyObject_HEAD
    PyObject *op, *a, *b, *label;
    double number;
    Content da, db, grad;
    char has_number; /* or a training block has it */
    char da_kind, db_kind, grad_kind;
    char met;      /* by the sweep that goes on */
    char followed; /* by the collector, as are all nodes below: tuples of nodes it always follows */
    uint16_t slab; /* that it lies in; 0 for none */
} Node;

static PyTypeObject *ValueType;
static PyObject *unswept, *zero, *rows, *relations[6];
static long contexts; /* as grad_mode.contexts */

/* The rows that are computed here, and the Python that takes over: each a static variable, found in `adopt`. */
#define OF_TABLE(X) X(add) X(sub) X(mul) X(div) X(pow) X(neg) X(exp) X(log) X(tanh) X(relu) X(sigmoid) X(total) X(weighted_sum)
#define OF_VALUE(X) X(current) X(binary) X(record) X(node) X(at_edge) X(compare) X(settle) X(__init__) X(__pow__) X(data_get) X(data_set)
#define STRINGS(X) X(forward) X(partials) X(kink) X(operands)
#define ROW(name) static PyObject *op_##name;
#define PYTHON(name) static PyObject *py_##name;
#define STRING(name) static PyObject *s_##name;
OF_TABLE(ROW) OF_VALUE(PYTHON) STRINGS(STRING)

#define NODE(x) ((Node *)(x))
#define IS_VALUE(x) (Py_TYPE(x) == ValueType) /* itself, not a subclass */
#define IS_NODE(x) PyObject_TypeCheck(x, ValueType)
#define HAS_NUMBER(x) (IS_VALUE(x) && NODE(x)->has_number)
#define CALL(...) PyObject_CallFunctionObjArgs(__VA_ARGS__, NULL)
#define DROP(...) drop_all((PyObject *[]){__VA_ARGS__}, sizeof((PyObject *[]){__VA_ARGS__}) / sizeof(PyObject *))
#define REFUSE(message) PyErr_Format(PyExc_TypeError, message)

static void drop_all(PyObject **objects, size_t n) { /* of which some may be NULL */
    for (size_t i = 0; i < n; i++) Py_XDECREF(objects[i]);
}

/* Nodes. A cycle leads through a grad that is a Value, through what a user adds in a subclass, or through a user's function.
   So the collector follows what Python makes, what has such an operand, and what lies below such a grad. */

static Py_ssize_t followed;               /* of the nodes in slabs, which the collector does not count */
static Py_ssize_t collect_above = 100000; /* of them, that is, about 10 MB; twice what was left, where that is more */

static inline int is_followed(PyObject *x) { return !PyFloat_CheckExact(x) && PyObject_GC_IsTracked(x) && !PyTuple_CheckExact(x); }
static void follow(Node *node) {
    if (PyObject_GC_IsTracked((PyObject *)node)) return;
    PyObject_GC_Track(node);
    followed += node->slab != 0;
}
static int collect_if_many(void) {
    if (followed <= collect_above) return 0;
    PyGC_Collect();
    return collect_above = followed > 50000 ? 2 * followed : 100000, 0;
}
static PyObject *cyclic(Node *new) { return follow(new), collect_if_many(), (PyObject *)new; }

/* Memory. Python gives what a graph has left back to the system, and every page of the next graph is a fault, which costs
   more than the node. Nodes lie in slabs of 1 MB, and the last 64 that are empty are kept. Before a node lie the two words
   of the collector, 0 while it does not follow. */
#define HEAD (2 * sizeof(uintptr_t))
#define PER_SLAB ((1 << 20) / (HEAD + sizeof(Node)))
#define KEPT 64
typedef struct { char *memory; void *free; size_t used, begun; uint16_t next; } Slab;
static Slab *slabs;
static unsigned n_slabs = 1, kept; /* the first is none; those that are empty and have their memory still */
static uint16_t with_room;          /* the first of a list, which ends with 0 */

static int new_slab(void) {
    Slab *wider = n_slabs < UINT16_MAX ? PyMem_RawRealloc(slabs, (n_slabs + 1) * sizeof(Slab)) : NULL;
    if (wider == NULL) return -1;
    slabs = wider;
    slabs[n_slabs] = (Slab){NULL, NULL, 0, 0, 0};
    with_room = n_slabs++;
    return 0;
}

static Node *allocate(void) {
#if defined(__SANITIZE_ADDRESS__) || PY_VERSION_HEX >= 0x030F0000 /* where each node is looked at; where HEAD is not known yet */
    Node *alone = PyObject_GC_New(Node, ValueType);
    if (alone != NULL) alone->slab = 0;
    return alone;
#else
    if (!with_room && new_slab() < 0) return (Node *)PyErr_NoMemory();
    Slab *slab = &slabs[with_room];
    if (slab->memory != NULL) kept -= !slab->used;
    else if ((slab->memory = PyMem_RawMalloc(1 << 20)) == NULL) return (Node *)PyErr_NoMemory();
    char *place = slab->free;
    if (place != NULL) slab->free = *(void **)place;
    else place = slab->memory + slab->begun++ * (HEAD + sizeof(Node));
    Node *node = (Node *)(place + HEAD);
    memset(place, 0, HEAD);
    node->slab = with_room;
    if (++slab->used == PER_SLAB) with_room = slab->next;
    return (Node *)PyObject_Init((PyObject *)node, ValueType);
#endif
}

static void release(Node *node) {
    Slab *slab = &slabs[node->slab];
    if (slab->used-- == PER_SLAB) slab->next = with_room, with_room = node->slab;
    *(void **)((char *)node - HEAD) = slab->free;
    slab->free = (char *)node - HEAD;
    if (slab->used) return;
    slab->free = NULL;
    slab->begun = 0;
    if (kept < KEPT) kept++;
    else PyMem_RawFree(slab->memory), slab->memory = NULL;
}

/* Return a new node; it takes over the references to its operands. */
static inline PyObject *new_node(double number, PyObject *op, PyObject *a, PyObject *b, double da, double db) {
    Node *new = allocate();
    if (new == NULL) return DROP(a, b), NULL;
    new->number = number, new->op = Py_NewRef(op), new->a = a, new->b = b, new->label = NULL;
    new->da.number = da, new->db.number = db, new->da_kind = new->db_kind = NUMBER, new->grad_kind = UNSWEPT;
    new->has_number = 1, new->met = new->followed = 0;
    return is_followed(a) || is_followed(b) ? cyclic(new) : (PyObject *)new;
}

static void drop(char kind, Content content) {
    if (kind == OBJECT) Py_DECREF(content.object);
    if (kind == ARRAY) PyMem_Free(content.array);
}

static int node_traverse(Node *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->op);
    Py_VISIT(self->a);
    Py_VISIT(self->b);
    if (self->da_kind == OBJECT) Py_VISIT(self->da.object);
    if (self->db_kind == OBJECT) Py_VISIT(self->db.object);
    if (self->grad_kind == OBJECT) Py_VISIT(self->grad.object);
    return 0;
}

static void replace(char *kind, Content *content, int new_kind, Content new) {
    char old_kind = *kind;
    Content old = *content;
    *kind = new_kind, *content = new;
    drop(old_kind, old);
}
static int node_clear(Node *self) { return replace(&self->grad_kind, &self->grad, UNSWEPT, (Content){0}), 0; }

/* Free one after the other: nodes that free each other would overflow the stack. Those that wait are linked by `label`. */
static void node_dealloc(Node *self) {
    static Node *waiting;
    static int freeing;
    if (PyObject_GC_IsTracked((PyObject *)self)) followed -= self->slab != 0, PyObject_GC_UnTrack(self);
    Py_XDECREF(self->label);
    self->label = (PyObject *)waiting;
    waiting = self;
    if (freeing) return;
    freeing = 1;
    while (waiting != NULL) {
        Node *node = waiting;
        PyTypeObject *type = Py_TYPE(node);
        waiting = NODE(node->label);
        DROP(node->op, node->a, node->b);
        drop(node->da_kind, node->da), drop(node->db_kind, node->db), drop(node->grad_kind, node->grad);
        if (node->slab) release(node);
        else type->tp_free(node);
        Py_DECREF(type);
    }
    freeing = 0;
}

/* Slots, as Python sees them */

static Array *new_array(Py_ssize_t n) {
    Array *array = PyMem_Malloc(sizeof(Array) + n * sizeof(double));
    if (array == NULL) return (Array *)PyErr_NoMemory();
    array->n = n;
    return array;
}

static PyObject *as_object(char kind, Content content) {
    if (kind == NUMBER) return PyFloat_FromDouble(content.number);
    if (kind != ARRAY) return Py_NewRef(kind == OBJECT ? content.object : unswept);
    PyObject *all = PyTuple_New(content.array->n);
    for (Py_ssize_t i = 0; all != NULL && i < content.array->n; i++) {
        PyObject *each = PyFloat_FromDouble(content.array->at[i]);
        if (each == NULL) Py_CLEAR(all);
        else PyTuple_SET_ITEM(all, i, each);
    }
    return all;
}

/* Put what Python assigns in the place of a content: a reference, or the numbers alone. */
static int assign(char *kind, Content *content, PyObject *given) {
    Content new = {.object = given};
    if (PyFloat_CheckExact(given)) {
        new.number = PyFloat_AS_DOUBLE(given);
        return replace(kind, content, given == unswept ? UNSWEPT : NUMBER, new), 0;
    }
    int floats = PyTuple_CheckExact(given);
    for (Py_ssize_t i = 0; floats && i < PyTuple_GET_SIZE(given); i++) floats = PyFloat_CheckExact(PyTuple_GET_ITEM(given, i));
    if (!floats) return Py_INCREF(given), replace(kind, content, OBJECT, new), 0;
    if ((new.array = new_array(PyTuple_GET_SIZE(given))) == NULL) return -1;
    for (Py_ssize_t i = 0; i < new.array->n; i++) new.array->at[i] = PyFloat_AS_DOUBLE(PyTuple_GET_ITEM(given, i));
    return replace(kind, content, ARRAY, new), 0;
}

static PyObject *has_no(Node *self, const char *name) {
    return PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%s'", Py_TYPE(self)->tp_name, name);
}
static int cannot_delete(Node *self, PyObject *given, const char *name) {
    if (given == NULL) PyErr_Format(PyExc_AttributeError, "property '%s' of '%.100s' object has no deleter", name, Py_TYPE(self)->tp_name);
    return given == NULL;
}
static PyObject *da_get(Node *self, void *Py_UNUSED(x)) { return as_object(self->da_kind, self->da); }
static PyObject *db_get(Node *self, void *Py_UNUSED(x)) { return as_object(self->db_kind, self->db); }
static int da_set(Node *self, PyObject *x, void *Py_UNUSED(y)) { return cannot_delete(self, x, "da") ? -1 : assign(&self->da_kind, &self->da, x); }
static int db_set(Node *self, PyObject *x, void *Py_UNUSED(y)) { return cannot_delete(self, x, "db") ? -1 : assign(&self->db_kind, &self->db, x); }
static PyObject *number_get(Node *self, void *Py_UNUSED(x)) {
    return self->has_number ? PyFloat_FromDouble(self->number) : has_no(self, "_number");
}

static unsigned long long assigned; /* as in held.py */

static int number_set(Node *self, PyObject *given, void *Py_UNUSED(x)) {
    double number = given == NULL ? 0.0 : PyFloat_AsDouble(given);
    if (number == -1.0 && PyErr_Occurred()) return -1;
    return assigned++, self->number = number, self->has_number = given != NULL, 0;
}

static PyObject *data_get(Node *self, void *Py_UNUSED(x)) {
    if (!contexts && self->has_number) return PyFloat_FromDouble(self->number);
    return CALL(py_data_get, (PyObject *)self);
}

static int data_set(Node *self, PyObject *given, void *Py_UNUSED(x)) {
    if (cannot_delete(self, given, "data")) return -1;
    if (PyFloat_CheckExact(given) && !contexts && self->has_number) return assigned++, self->number = PyFloat_AS_DOUBLE(given), 0;
    PyObject *done = CALL(py_data_set, (PyObject *)self, given);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *grad_get(Node *self, void *Py_UNUSED(x)) {
    return self->a == NULL ? has_no(self, "grad") : as_object(self->grad_kind, self->grad);
}
static int follow_below(PyObject *root);

static int grad_set(Node *self, PyObject *given, void *Py_UNUSED(x)) {
    if (cannot_delete(self, given, "grad") || assign(&self->grad_kind, &self->grad, given) < 0) return -1;
    if (self->grad_kind != OBJECT) return 0;
    follow(self);
    return IS_NODE(given) && follow_below(given) < 0 ? -1 : collect_if_many();
}

static PyMemberDef node_members[] = {
    {"op", T_OBJECT, offsetof(Node, op), READONLY, NULL}, {"_label", T_OBJECT_EX, offsetof(Node, label), 0, NULL},
    {"a", T_OBJECT_EX, offsetof(Node, a), READONLY, NULL}, {"b", T_OBJECT_EX, offsetof(Node, b), READONLY, NULL}, {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef node_slots[] = {
    {"_number", (getter)number_get, (setter)number_set, NULL, NULL}, {"data", (getter)data_get, (setter)data_set, NULL, NULL},
    {"grad", (getter)grad_get, (setter)grad_set, NULL, NULL}, {"da", (getter)da_get, (setter)da_set, NULL, NULL},
    {"db", (getter)db_get, (setter)db_set, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL},
};

static PyObject *fill(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    if (n != 7 || !IS_NODE(args[0]) || PyTuple_CheckExact(args[3]) != PyTuple_CheckExact(args[4])) return REFUSE("fill takes a node and its six slots");
    Node *node = NODE(args[0]);
    PyObject *op = args[2] == Py_None ? NULL : args[2], *a = args[3], *b = args[4], *before[] = {node->op, node->a, node->b};
    int known = op == NULL ? 1 : PySet_Contains(rows, op), below = is_followed(a) || is_followed(b) || is_followed(args[5]);
    if (known < 0 || number_set(node, args[1], NULL) < 0 || assign(&node->da_kind, &node->da, args[5]) < 0 || assign(&node->db_kind, &node->db, args[6]) < 0) return NULL;
    node->op = Py_XNewRef(op), node->a = Py_NewRef(a), node->b = Py_NewRef(b);
    node_clear(node);
    drop_all(before, 3);
    for (Py_ssize_t i = 0; PyTuple_CheckExact(b) && i < PyTuple_GET_SIZE(b); i++) below |= is_followed(PyTuple_GET_ITEM(b, i));
    for (Py_ssize_t i = 0; PyTuple_CheckExact(a) && i < PyTuple_GET_SIZE(a); i++) below |= is_followed(PyTuple_GET_ITEM(a, i));
    if (known && IS_VALUE(node) && !below) PyObject_GC_UnTrack(node);
    return Py_NewRef(args[0]);
}

/* Operations */

/* Read an operand: a Value, or a float or int, which is a constant of the node. */
static inline int read_operand(PyObject *x, double *number) {
    if (IS_VALUE(x)) *number = NODE(x)->number;
    else if (PyFloat_CheckExact(x)) *number = PyFloat_AS_DOUBLE(x);
    else if (PyLong_CheckExact(x)) {
        *number = PyLong_AsDouble(x);
        return *number != -1.0 || !PyErr_Occurred() ? 1 : (PyErr_Clear(), 0);
    }
    else return 0;
    return !IS_VALUE(x) || NODE(x)->has_number;
}

static int node_init(PyObject *self, PyObject *args, PyObject *keywords) {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    Node *node = NODE(self);
    if (!contexts && keywords == NULL && IS_VALUE(self) && node->a == NULL && (n == 1 || (n == 2 && PyUnicode_CheckExact(PyTuple_GET_ITEM(args, 1))))
        && !IS_VALUE(PyTuple_GET_ITEM(args, 0)) && read_operand(PyTuple_GET_ITEM(args, 0), &node->number)) {
        node->has_number = 1, node->a = Py_NewRef(zero), node->b = Py_NewRef(zero), node->da_kind = node->db_kind = NUMBER;
        if (n == 2) node->label = Py_NewRef(PyTuple_GET_ITEM(args, 1));
        return PyObject_GC_UnTrack(self), 0;
    }
    PyObject *first = PyTuple_Pack(1, self), *all = first == NULL ? NULL : PySequence_Concat(first, args);
    PyObject *done = all == NULL ? NULL : PyObject_Call(py___init__, all, keywords);
    DROP(first, all, done);
    return done == NULL ? -1 : 0;
}

/* The ranges are those of value.py, within which no floating-point flag is left behind. */
static inline int ordinary(double x) { return (1e-100 < x && x < 1e100) || (-1e100 < x && x < -1e-100); }
static inline double sigmoid_of(double x) {
    double e = exp(-fabs(x));
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

/* Compute the value and the partial of an operation on one operand; 0 where Python has to. */
static inline int quick(PyObject *op, double x, double *r, double *p) {
    if (op == op_tanh) {
        double e = exp(-2.0 * fabs(x));
        *r = tanh(x);
        *p = -0.7 < *r && *r < 0.7 ? 1.0 - *r * *r : 4.0 * e / ((1.0 + e) * (1.0 + e));
    }
    else if (op == op_relu) {
        *r = x <= 0.0 ? 0.0 : x, *p = x > 0.0 ? 1.0 : 0.0;
        return ordinary(*r) || *r == 0.0;
    }
    else if (op == op_neg) *r = -x, *p = -1.0;
    else if (op == op_exp) *p = *r = exp(x);
    else if (op == op_sigmoid) *r = sigmoid_of(x), *p = *r * (*r < 0.7 ? 1.0 - *r : sigmoid_of(-x));
    else if (op == op_log && x > 0.0) *r = log(x), *p = 1.0 / x;
    else return 0;
    return ordinary(*p) && (ordinary(*r) || *r == 0.0);
}

/* Record an operation on one Value by the functions of its row, as value.py's `unary` does. */
static PyObject *by_rules(PyObject *op, PyObject *a) {
    PyObject *x = HAS_NUMBER(a) ? PyFloat_FromDouble(NODE(a)->number) : CALL(py_current, a), *r = NULL, *p = NULL, *new = NULL, *kink = NULL;
    PyObject *rules = PyObject_GetAttr(op, s_partials), *rule = rules == NULL ? NULL : PySequence_GetItem(rules, 0);
    if (x == NULL) return DROP(rules, rule), NULL;
    if (rule != NULL && (r = PyObject_CallMethodOneArg(op, s_forward, x)) != NULL) p = CALL(rule, x, r);
    if (p == NULL) {
        if (PyErr_ExceptionMatches(PyExc_ArithmeticError) || PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
            PyObject *operands = PyTuple_Pack(1, a);
            new = operands == NULL ? NULL : CALL(py_at_edge, op, operands);
            Py_XDECREF(operands);
        }
    }
    else if (contexts || !PyFloat_CheckExact(r) || !PyFloat_CheckExact(p)) new = CALL(py_node, r, op, a, zero, p, zero);
    else {
        double result = PyFloat_AS_DOUBLE(r), partial = PyFloat_AS_DOUBLE(p);
        int known = PySet_Contains(rows, op), fine = ordinary(result) || result == 0.0;
        kink = ordinary(partial) ? Py_NewRef(zero) : PyObject_GetAttr(op, s_kink);
        PyObject *settled = kink == NULL || known < 0 ? NULL : fine && kink != Py_None ? Py_NewRef(zero) : CALL(py_settle);
        if (settled != NULL) new = new_node(result, op, Py_NewRef(a), Py_NewRef(zero), partial, 0.0);
        if (new != NULL && !known) follow(NODE(new));
        Py_XDECREF(settled);
    }
    DROP(x, r, p, rule, rules, kink);
    return new;
}

static PyObject *unary_of(PyObject *op, PyObject *a) {
    double r, p;
    if (contexts || !HAS_NUMBER(a) || !quick(op, NODE(a)->number, &r, &p)) return by_rules(op, a);
    return new_node(r, op, Py_NewRef(a), Py_NewRef(zero), p, 0.0);
}
static inline int moderate(double x) { return x == 0.0 || (1e-100 < fabs(x) && fabs(x) < 1e100); }

/* Compute the value and the partials of an operation on two operands; 0 where Python has to. */
static inline int quick_pair(PyObject *op, double x, double y, int b_varies, double *r, double *p, double *q) {
    *p = *q = 1.0;
    if (op == op_add) *r = x + y;
    else if (op == op_mul) *r = x * y, *p = y, *q = x;
    else if (op == op_sub) *r = x - y, *q = -1.0;
    else if (op == op_div && y != 0.0) {
        *r = x / y, *p = 1.0 / y, *q = -*r / y;
        return moderate(x) && moderate(y) && moderate(*r);
    }
    else if (op == op_pow && !b_varies && 0.5 <= y && y < 9007199254740992.0 && (x > 0.0 || (x < 0.0 && y == floor(y)))) {
        *r = pow(x, y), *p = y * pow(x, y - 1.0);
        return moderate(x) && moderate(y) && ordinary(*r);
    }
    else return 0;
    return 1;
}

static PyObject *as_operand(PyObject *x, double number) {
    return IS_VALUE(x) || PyFloat_CheckExact(x) ? Py_NewRef(x) : PyFloat_FromDouble(number);
}

static PyObject *binary_of(PyObject *op, PyObject *a, PyObject *b) {
    double x, y, r, p, q;
    if (contexts || !read_operand(a, &x) || !read_operand(b, &y) || !quick_pair(op, x, y, IS_VALUE(b), &r, &p, &q))
        return CALL(py_binary, op, a, b);
    PyObject *left = as_operand(a, x), *right = as_operand(b, y);
    if (left != NULL && right != NULL) return new_node(r, op, left, right, IS_VALUE(a) ? p : 0.0, IS_VALUE(b) ? q : 0.0);
    return DROP(left, right), NULL;
}

#define INFIX(name) static PyObject *node_##name(PyObject *a, PyObject *b) { return binary_of(op_##name, a, b); }
#define METHOD(name) static PyObject *node_##name(PyObject *a, PyObject *Py_UNUSED(x)) { return unary_of(op_##name, a); }
INFIX(add) INFIX(sub) INFIX(mul) INFIX(div) METHOD(exp) METHOD(log) METHOD(tanh) METHOD(relu) METHOD(sigmoid)
static PyObject *node_negative(PyObject *a) { return unary_of(op_neg, a); }
static PyObject *node_power(PyObject *a, PyObject *b, PyObject *modulus) {
    return modulus == Py_None ? binary_of(op_pow, a, b) : CALL(py___pow__, a, b, modulus);
}

static PyObject *node_compare(PyObject *a, PyObject *b, int relation) {
    if (!contexts && HAS_NUMBER(a) && (PyFloat_CheckExact(b) || HAS_NUMBER(b))) {
        double x = NODE(a)->number, y = IS_VALUE(b) ? NODE(b)->number : PyFloat_AS_DOUBLE(b);
        if (x == x && y == y) Py_RETURN_RICHCOMPARE(x, y, relation);
    }
    return CALL(py_compare, a, b, relations[relation]);
}
static int node_bool(PyObject *a) { return PyObject_RichCompareBool(a, zero, Py_NE); }
static Py_hash_t node_hash(PyObject *a) { return PyBaseObject_Type.tp_hash(a); }

/* Sums, as Python's `sum` has them. */
typedef struct { double sum, lost; } Sum;

static inline void add_to(Sum *s, double x) {
    double t = s->sum + x;
    if (SUM_COMPENSATES) s->lost += fabs(s->sum) >= fabs(x) ? (s->sum - t) + x : (x - t) + s->sum;
    s->sum = t;
}
static inline double sum_of(Sum s) { return s.lost && isfinite(s.lost) ? s.sum + s.lost : s.sum; }

/* Return a node of any number of operands, or NULL; it takes over the partials. */
static PyObject *wide_node(Sum s, PyObject *op, PyObject *a, PyObject *b, PyObject *bias, Array *partials, int below) {
    PyObject *new = new_node(sum_of(s), op, Py_NewRef(a), Py_NewRef(b), 0.0, 0.0);
    if (new == NULL) return PyMem_Free(partials), NULL;
    if (bias != NULL) NODE(new)->da.object = Py_NewRef(bias), NODE(new)->da_kind = OBJECT;
    NODE(new)->db.array = partials, NODE(new)->db_kind = ARRAY;
    return below ? cyclic(NODE(new)) : new;
}

static PyObject *total_of(PyObject *operands) {
    Py_ssize_t n = PyTuple_GET_SIZE(operands), i = 0;
    Array *partials = new_array(n);
    PyObject *none = partials == NULL ? NULL : PyTuple_New(0), *new = NULL;
    Sum s = {0.0, 0.0};
    double x;
    int followed = 0;
    for (; none != NULL && i < n && read_operand(PyTuple_GET_ITEM(operands, i), &x) && !PyLong_CheckExact(PyTuple_GET_ITEM(operands, i)); i++) {
        add_to(&s, x);
        partials->at[i] = IS_VALUE(PyTuple_GET_ITEM(operands, i)) ? 1.0 : 0.0;
        followed |= is_followed(PyTuple_GET_ITEM(operands, i));
    }
    if (none == NULL || i < n || !ordinary(sum_of(s))) {
        PyMem_Free(partials);
        new = none == NULL ? NULL : CALL(py_record, op_total, operands);
    }
    else new = wide_node(s, op_total, none, operands, NULL, partials, followed);
    Py_XDECREF(none);
    return new;
}

static PyObject *record(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    if (n != 2) return REFUSE("record takes an operation and its operands");
    if (!contexts && PyTuple_CheckExact(args[1])) {
        double r, p;
        PyObject *a = PyTuple_GET_SIZE(args[1]) == 1 ? PyTuple_GET_ITEM(args[1], 0) : NULL;
        if (args[0] == op_total) return total_of(args[1]);
        if (a != NULL && HAS_NUMBER(a) && quick(args[0], NODE(a)->number, &r, &p)) return new_node(r, args[0], Py_NewRef(a), Py_NewRef(zero), p, 0.0);
    }
    return CALL(py_record, args[0], args[1]);
}

static PyObject *unary(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    return n == 2 ? unary_of(args[0], args[1]) : REFUSE("unary takes an operation and an operand");
}

static PyObject *binary(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    return n == 3 ? binary_of(args[0], args[1], args[2]) : REFUSE("binary takes an operation and two operands");
}

/* Record a whole neuron, as value.py's `neuron` does. */
static PyObject *neuron(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    if (count != 3 || contexts || !PyTuple_CheckExact(args[0]) || !PyTuple_CheckExact(args[1]) || !HAS_NUMBER(args[2])) Py_RETURN_NOTIMPLEMENTED;
    Py_ssize_t n = PyTuple_GET_SIZE(args[0]);
    if (n == 0 || PyTuple_GET_SIZE(args[1]) != n) Py_RETURN_NOTIMPLEMENTED;
    int constant = PyFloat_CheckExact(PyTuple_GET_ITEM(args[1], 0)), followed = is_followed(args[2]);
    Array *partials = new_array(constant ? n : 2 * n);
    if (partials == NULL) return NULL;
    Sum s = {NODE(args[2])->number, 0.0};
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *w = PyTuple_GET_ITEM(args[0], i), *x = PyTuple_GET_ITEM(args[1], i);
        if (!HAS_NUMBER(w) || !(constant ? PyFloat_CheckExact(x) : HAS_NUMBER(x))) {
            PyMem_Free(partials);
            Py_RETURN_NOTIMPLEMENTED;
        }
        partials->at[i] = constant ? PyFloat_AS_DOUBLE(x) : NODE(x)->number;
        if (!constant) partials->at[n + i] = NODE(w)->number;
        add_to(&s, NODE(w)->number * partials->at[i]);
        followed |= is_followed(w) || is_followed(x);
    }
    return wide_node(s, op_weighted_sum, args[1], args[0], args[2], partials, followed);
}

/* Walks and sweeps */

typedef struct {
    PyObject *node;
    Py_ssize_t depth; /* of a node that waits: the length of the path to its consumer */
    Content grad;     /* of a node that a sweep has met: the grad it had */
    char kind;
} Entry;

typedef struct { Entry *at; Py_ssize_t n, room; } Stack;

static int push(Stack *stack, Entry entry) {
    if (stack->n == stack->room) {
        Entry *at = stack->at;
        PyMem_Resize(at, Entry, 2 * stack->room + 256);
        if (at == NULL) return PyErr_NoMemory(), -1;
        stack->at = at, stack->room = 2 * stack->room + 256;
    }
    stack->at[stack->n++] = entry;
    return 0;
}

/* What `_zeroed` of backward.py holds; this is its order. */
typedef struct {
    Stack order, path, waiting, leaves;
    PyObject *walked[64]; /* some of the groups that are all met, by address: the neurons of a layer share their inputs */
} Sweep;

static int meet(Sweep *s, Node *node) {
    if (push(node->op == NULL ? &s->leaves : &s->path, (Entry){(PyObject *)node, 0, node->grad, node->grad_kind}) < 0) return -1;
    return node->grad.number = 0.0, node->grad_kind = NUMBER, node->met = 1, 0;
}

static int put_off(Sweep *s, PyObject *x) { /* but a leaf is met at once */
    if (!IS_NODE(x) || NODE(x)->met) return 0;
    return NODE(x)->op == NULL ? meet(s, NODE(x)) : push(&s->waiting, (Entry){x, s->path.n, {0}, 0});
}

static int put_off_all(Sweep *s, PyObject *group) {
    Py_ssize_t before = s->waiting.n;
    PyObject **known = &s->walked[((uintptr_t)group >> 4) % 64];
    if (*known == group) return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(group); i++)
        if (put_off(s, PyTuple_GET_ITEM(group, i)) < 0) return -1;
    if (s->waiting.n == before) *known = group;
    return 0;
}

static int set_to_zero(Sweep *s, PyObject *root) {
    if (push(&s->waiting, (Entry){root, 0, {0}, 0}) < 0) return -1;
    while (s->waiting.n) {
        Entry top = s->waiting.at[--s->waiting.n];
        if (NODE(top.node)->met) continue;
        for (; s->path.n > top.depth; s->path.n--)
            if (push(&s->order, s->path.at[s->path.n - 1]) < 0) return -1;
        for (PyObject *next = top.node; IS_NODE(next) && !NODE(next)->met;) {
            Node *node = NODE(next);
            if (meet(s, node) < 0) return -1;
            if (node->op == NULL) break;
            next = node->a;
            if (PyTuple_CheckExact(node->b)) {
                if (put_off_all(s, node->b) < 0 || (PyTuple_CheckExact(next) && put_off_all(s, next) < 0)) return -1;
                next = node->da_kind == OBJECT ? node->da.object : zero;
            }
            else if (put_off(s, node->b) < 0) return -1;
        }
    }
    return 0;
}

static inline void hand_down(PyObject *operand, double delta, double partial) {
    if (partial != 0.0 && IS_NODE(operand)) NODE(operand)->grad.number += delta * partial;
}

static void hand_down_all(Node *node, double delta) {
    Array *partials = node->db.array;
    Py_ssize_t n = PyTuple_GET_SIZE(node->b), i = 0;
    for (; i < n && i < partials->n; i++) hand_down(PyTuple_GET_ITEM(node->b, i), delta, partials->at[i]);
    if (node->da_kind != OBJECT) return;
    for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(node->a) && i < partials->n; i++, j++) hand_down(PyTuple_GET_ITEM(node->a, j), delta, partials->at[i]);
    hand_down(node->da.object, delta, 1.0);
}

static int flow_through(Node *node, int failed) {
    double delta = node->grad.number;
    node->met = 0;
    if (failed || delta == 0.0) return failed;
    if (node->db_kind == ARRAY && PyTuple_CheckExact(node->b)) hand_down_all(node, delta);
    else if (node->db_kind == NUMBER && node->da_kind == NUMBER) {
        hand_down(node->b, delta, node->db.number);
        hand_down(node->a, delta, node->da.number);
    }
    else PyErr_SetString(PyExc_TypeError, "a partial must be a float"), failed = 1;
    return failed;
}

/* Read the grad that a leaf had, where it is one that micrograd's or PyTorch's habits leave: a number, `0`, `None`. */
static int read_grad(char kind, Content grad, double *number) {
    *number = kind == NUMBER ? grad.number : 0.0;
    return kind <= NUMBER || (kind == OBJECT && (grad.object == Py_None || (PyLong_CheckExact(grad.object) && read_operand(grad.object, number))));
}

/* Propagate δ from `root`, and add it to the grads of the leaves. Where one of them had a grad that is no float, that sum is
   Python's: then all leaves have the δ of this sweep, and stand in the list with the grads they had. */
static PyObject *flow(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    if (n != 2 || !IS_NODE(args[0]) || !PyList_CheckExact(args[1])) return REFUSE("flow takes a Value and a list");
    Sweep s = {0};
    int failed = set_to_zero(&s, args[0]) < 0, plain = 1;
    double before;
    for (Py_ssize_t i = 0; i < s.leaves.n; i++) plain = plain && read_grad(s.leaves.at[i].kind, s.leaves.at[i].grad, &before);
    if (!failed) NODE(args[0])->grad.number = 1.0;
    for (Py_ssize_t i = 0; i < s.path.n; i++) failed = flow_through(NODE(s.path.at[i].node), failed);
    for (Py_ssize_t i = s.order.n; i-- > 0;) failed = flow_through(NODE(s.order.at[i].node), failed);
    for (Py_ssize_t i = 0; i < s.leaves.n; i++) NODE(s.leaves.at[i].node)->met = 0;
    for (Py_ssize_t i = 0; i < s.leaves.n && !plain && !failed; i++) { /* a collection, and so Python's code, may come between */
        Entry leaf = s.leaves.at[i];
        PyObject *had = as_object(leaf.kind, leaf.grad), *pair = had == NULL ? NULL : PyTuple_Pack(2, leaf.node, had);
        failed = pair == NULL || PyList_Append(args[1], pair) < 0;
        DROP(had, pair);
    }
    for (Py_ssize_t i = 0; i < s.leaves.n; i++) {
        Entry leaf = s.leaves.at[i];
        Node *node = NODE(leaf.node);
        if (failed) replace(&node->grad_kind, &node->grad, leaf.kind, leaf.grad);
        else {
            if (plain && read_grad(leaf.kind, leaf.grad, &before)) node->grad.number = before + node->grad.number;
            drop(leaf.kind, leaf.grad); /* if it is not plain, the list has it */
        }
    }
    if (failed) PyList_SetSlice(args[1], 0, PyList_GET_SIZE(args[1]), NULL);
    for (Py_ssize_t i = 0; i < s.path.n; i++) drop(s.path.at[i].kind, s.path.at[i].grad); /* what they had may run Python's code */
    for (Py_ssize_t i = 0; i < s.order.n; i++) drop(s.order.at[i].kind, s.order.at[i].grad);
    PyMem_Free(s.path.at), PyMem_Free(s.order.at), PyMem_Free(s.leaves.at), PyMem_Free(s.waiting.at);
    return failed ? NULL : Py_NewRef(Py_None);
}

static int put(Stack *stack, PyObject *x) { /* which owns it */
    return PyFloat_CheckExact(x) ? 0 : push(stack, (Entry){Py_NewRef(x), 0, {0}, 0});
}

static int put_all(Stack *stack, PyObject *group) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(group); i++)
        if (put(stack, PyTuple_GET_ITEM(group, i)) < 0) return -1;
    return 0;
}

static int put_operands(Stack *stack, PyObject *x) {
    Node *node = NODE(x);
    if (!IS_VALUE(x)) { /* whatever a subclass or a stand-in has for operands */
        PyObject *operands = PyObject_GetAttr(x, s_operands), *all = operands == NULL ? NULL : PySequence_Tuple(operands);
        int done = all == NULL ? -1 : put_all(stack, all);
        DROP(operands, all);
        return done;
    }
    if (node->op == NULL) return 0;
    if (!PyTuple_CheckExact(node->b)) return put(stack, node->a) < 0 ? -1 : put(stack, node->b);
    if (put_all(stack, node->b) < 0) return -1;
    if (node->da_kind != OBJECT) return 0;
    return put_all(stack, node->a) < 0 ? -1 : put(stack, node->da.object);
}

static void empty(Stack *stack) {
    while (stack->n) Py_DECREF(stack->at[--stack->n].node);
    PyMem_Free(stack->at);
}

/* Let the collector follow a node and all below it. */
static int follow_below(PyObject *root) {
    Stack stack = {0};
    int failed = put(&stack, root) < 0;
    while (!failed && stack.n) {
        PyObject *x = stack.at[--stack.n].node;
        if (IS_NODE(x) && !NODE(x)->followed) {
            NODE(x)->followed = 1, follow(NODE(x));
            failed = put_operands(&stack, x) < 0;
        }
        Py_DECREF(x);
    }
    return empty(&stack), failed ? -1 : 0;
}

/* As backward.py's `walk`: a node is listed when all below it are. */
static PyObject *walk(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n) {
    PyObject *order = n == 2 ? PyList_New(0) : REFUSE("walk takes a root, and a function that says where to stop");
    PyObject *seen = PySet_New(NULL);
    Stack stack = {0};
    int failed = order == NULL || seen == NULL || put(&stack, args[0]) < 0;
    while (!failed && stack.n) {
        Entry top = stack.at[--stack.n];
        int met = top.depth || failed ? 0 : PySet_Contains(seen, top.node);
        if (top.depth) failed = PyList_Append(order, top.node) < 0;
        else if (met == 0) {
            PyObject *end = NULL;
            if (PySet_Add(seen, top.node) == 0 && push(&stack, (Entry){Py_NewRef(top.node), 1, {0}, 0}) == 0) end = PyObject_CallOneArg(args[1], top.node);
            int stops = end == NULL ? -1 : PyObject_IsTrue(end);
            Py_XDECREF(end);
            failed = stops < 0 || (!stops && put_operands(&stack, top.node) < 0);
        }
        else failed = met < 0;
        Py_DECREF(top.node);
    }
    empty(&stack), Py_XDECREF(seen);
    if (failed || PyList_Reverse(order) < 0) Py_CLEAR(order);
    return order;
}

/* The module */

/* The texts are for `inspect.signature`. */
#define METHOD_OF(name) {#name, node_##name, METH_NOARGS, #name "($self)\n--\n\n"}
static PyMethodDef node_methods[] = {
    METHOD_OF(exp), METHOD_OF(log), METHOD_OF(tanh), METHOD_OF(relu), METHOD_OF(sigmoid), {NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, "Value(data, label='')\n--\n\n"}, {Py_tp_dealloc, node_dealloc}, {Py_tp_traverse, node_traverse}, {Py_tp_clear, node_clear}, {Py_tp_init, node_init},
    {Py_tp_getset, node_slots}, {Py_tp_members, node_members}, {Py_tp_methods, node_methods}, {Py_tp_hash, node_hash},
    {Py_tp_richcompare, node_compare}, {Py_nb_add, node_add}, {Py_nb_subtract, node_sub}, {Py_nb_multiply, node_mul},
    {Py_nb_true_divide, node_div}, {Py_nb_power, node_power}, {Py_nb_negative, node_negative}, {Py_nb_bool, node_bool}, {0, NULL},
};

static PyType_Spec type_spec = {"autodiff.value.Value", sizeof(Node), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, type_slots};

/* Make the type for the class in value.py, `adopt(names of value.py, table, bases, UNSWEPT)`, which lacks all that is Python's. */
static PyObject *adopt(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *names, *table, *bases, *of_no_sweep;
    const char *by_code[] = {"lt", "le", "eq", "ne", "gt", "ge"};
    if (ValueType != NULL) return PyErr_Format(PyExc_RuntimeError, "a process has one Value, and it is made");
    if (!PyArg_ParseTuple(args, "O!O!OO", &PyDict_Type, &names, &PyDict_Type, &table, &bases, &of_no_sweep)) return NULL;
#define FIND(variable, from, name) if ((variable = Py_XNewRef(PyDict_GetItemString(from, name))) == NULL) return PyErr_Format(PyExc_KeyError, name);
#define FIND_ROW(name) FIND(op_##name, table, #name)
#define FIND_PYTHON(name) FIND(py_##name, names, #name)
#define MAKE_STRING(name) if ((s_##name = PyUnicode_InternFromString(#name)) == NULL) return NULL;
    OF_TABLE(FIND_ROW) OF_VALUE(FIND_PYTHON) STRINGS(MAKE_STRING)
    for (int i = 0; i < 6; i++) FIND(relations[i], names, by_code[i])
    unswept = Py_NewRef(of_no_sweep);
    PyObject *all = PyDict_Values(table);
    if (all == NULL || (rows = PyFrozenSet_New(all)) == NULL || (zero = PyFloat_FromDouble(0.0)) == NULL) return NULL;
    Py_DECREF(all);
    ValueType = (PyTypeObject *)PyType_FromSpecWithBases(&type_spec, bases);
    if (ValueType != NULL) ValueType->tp_name = "Value"; /* as messages call a class */
    return Py_XNewRef((PyObject *)ValueType);
}

static PyObject *tell_contexts(PyObject *Py_UNUSED(module), PyObject *n) {
    long open = PyLong_AsLong(n);
    return open == -1 && PyErr_Occurred() ? NULL : (contexts = open, Py_NewRef(Py_None));
}

static PyObject *assignments(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(x)) { return PyLong_FromUnsignedLongLong(assigned); }

#define FAST(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, "The function of value.py or backward.py in C."}
static PyMethodDef functions[] = {
    {"adopt", adopt, METH_VARARGS, "Make the type Value."},
    {"contexts", tell_contexts, METH_O, "Take over the number of contexts that are open."},
    {"assignments", assignments, METH_NOARGS, "The function of held.py in C."},
    FAST(fill), FAST(unary), FAST(binary), FAST(record), FAST(neuron), FAST(flow), FAST(walk), {NULL, NULL, 0, NULL},
};

static int execute(PyObject *Py_UNUSED(module)) {
    static int taken;
    if (!taken++ && PyInterpreterState_Get() == PyInterpreterState_Main()) return 0;
    PyErr_SetString(PyExc_ImportError, "autodiff._core serves one import, in the main interpreter; all others run the Python beside it");
    return -1;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "autodiff._core", "The eager engine in C.", 0, functions, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
